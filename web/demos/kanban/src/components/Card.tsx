/** One task on the board. The whole card opens and can be picked up; its menu does the rest. */

import { memo, type KeyboardEvent, type PointerEvent } from 'react'

import { useMoveTask, useCreateTask, useDeleteTask } from '../mutations'
import type { ColumnView } from '../drag/targets'
import type { Task } from '../types'
import type { News } from '../useNews'
import { Avatar, hueOf } from './Avatar'
import { MoreIcon } from './icons'
import { Menu } from './Menu'
import { Priority } from './Priority'

export interface CardHandlers {
  onOpen: (taskId: string) => void
  onPointerDown: (event: PointerEvent<HTMLElement>, taskId: string) => void
  onKeyDown: (event: KeyboardEvent<HTMLElement>, taskId: string) => void
}

interface Props extends CardHandlers {
  task: Task
  columns: ColumnView[]
  saving: boolean
  news: News | undefined
  /** hidden: it hangs on the pointer. lifted: it is being moved by keys. */
  look: 'rest' | 'hidden' | 'lifted'
}

export const Card = memo(function Card({
  task,
  columns,
  saving,
  news,
  look,
  onOpen,
  onPointerDown,
  onKeyDown,
}: Props) {
  return (
    <li
      className={`card-place ${look}`}
      data-card={task.id}
      data-flip={look === 'hidden' ? undefined : task.id}
      aria-busy={saving || undefined}
      onPointerDown={(event) => onPointerDown(event, task.id)}
    >
      <article className="card" data-news={news ? '' : undefined} key={news?.number ?? 0}>
        <button
          type="button"
          className="card-open"
          data-open={task.id}
          aria-describedby="card-help"
          onClick={() => onOpen(task.id)}
          onKeyDown={(event) => onKeyDown(event, task.id)}
        >
          {task.title}
        </button>
        <CardDetails task={task} />
        {news && <NewsChip by={news.by} />}
      </article>
      <CardMenu task={task} columns={columns} onOpen={onOpen} />
    </li>
  )
})

export function CardDetails({ task }: { task: Task }) {
  const bare = !task.label && !task.assignee && task.priority === 'none'
  return (
    <>
      {task.description && <p className="card-description">{task.description}</p>}
      {!bare && <CardTags task={task} />}
    </>
  )
}

function CardTags({ task }: { task: Task }) {
  return (
    <div className="card-details">
      <Priority level={task.priority} />
      {task.label && (
        <span className="label" data-hue={hueOf(task.label)}>
          {task.label}
        </span>
      )}
      {task.assignee && (
        <span className="card-assignee">
          <span className="visually-hidden">Assigned to </span>
          <Avatar name={task.assignee} labelled />
        </span>
      )}
    </div>
  )
}

/** What hangs on the pointer while the card is carried. */
export function CardCopy({ task }: { task: Task }) {
  return (
    <article className="card">
      <span className="card-open">{task.title}</span>
      <CardDetails task={task} />
    </article>
  )
}

function NewsChip({ by }: { by: string }) {
  return <span className="news">{by ? `Changed by ${by}` : 'Changed outside the board'}</span>
}

function CardMenu({ task, columns, onOpen }: Pick<Props, 'task' | 'columns' | 'onOpen'>) {
  const move = useMoveTask(task.projectId)
  const remove = useDeleteWithUndo(task, columns)
  const here = columns.find((column) => column.statusId === task.statusId)?.tasks ?? []
  const at = here.findIndex((other) => other.id === task.id)
  const to = (statusId: string, beforeId: string | null) =>
    move.mutate({ taskId: task.id, statusId, beforeId })
  const within = [
    ...(at > 0 ? [{ label: 'Up', run: () => to(task.statusId, here[at - 1]?.id ?? null) }] : []),
    ...(at >= 0 && at < here.length - 1
      ? [{ label: 'Down', run: () => to(task.statusId, here[at + 2]?.id ?? null) }]
      : []),
  ]
  const others = columns.filter((column) => column.statusId !== task.statusId)
  return (
    <Menu
      label={`Actions for ${task.title}`}
      className="icon-button card-menu"
      groups={[
        { items: [{ label: 'Edit', run: () => onOpen(task.id) }] },
        {
          title: 'Move to…',
          items: [
            ...within,
            ...others.map((column) => ({ label: column.name, run: () => to(column.statusId, null) })),
          ],
        },
        { items: [{ label: 'Delete', run: remove, danger: true }] },
      ]}
    >
      <MoreIcon />
    </Menu>
  )
}

/** Deleting asks nothing; the toast takes it back. */
export function useDeleteWithUndo(task: Task, columns: readonly ColumnView[]): () => void {
  const create = useCreateTask(task.projectId)
  const { title, description, priority, label, assignee, statusId } = task
  const here = columns.find((column) => column.statusId === statusId)?.tasks ?? []
  const beforeId = here[here.findIndex((other) => other.id === task.id) + 1]?.id ?? null
  const undo = () => create.mutate({ title, description, priority, label, assignee, statusId, beforeId })
  const remove = useDeleteTask(task.id, task.projectId, undo)
  return () => remove.mutate()
}
