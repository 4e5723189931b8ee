/** One column: its name, its tasks in order, and the place for a new one. */

import { Fragment, memo, useState } from 'react'

import type { Lifted } from '../drag/controller'
import type { ColumnView } from '../drag/targets'
import { useUpdateStatus } from '../mutations'
import type { News } from '../useNews'
import { Card, type CardHandlers } from './Card'
import { MoreIcon, PlusIcon } from './icons'
import { Menu } from './Menu'
import { NameForm } from './NameForm'
import { QuickAdd } from './QuickAdd'

interface Props extends CardHandlers {
  projectId: string
  column: ColumnView
  columns: ColumnView[]
  saving: ReadonlySet<string>
  news: ReadonlyMap<string, News>
  lifted: Lifted | null
  adding: boolean
  onAdd: (statusId: string | null) => void
  onDelete: (statusId: string) => void
}

export const Column = memo(function Column(props: Props) {
  const { column, news, adding, onAdd, projectId, saving } = props
  const fresh = news.get(column.statusId)
  return (
    <section
      className="column"
      aria-label={column.name}
      aria-busy={saving.has(column.statusId) || undefined}
      data-flip={`column-${column.statusId}`}
      data-news={fresh ? '' : undefined}
    >
      <ColumnHead {...props} />
      <ol
        className="column-list"
        data-column-list={column.statusId}
        aria-label={`Tasks in ${column.name}`}
        tabIndex={-1}
      >
        <Cards {...props} />
      </ol>
      <footer className="column-foot">
        {adding ? (
          <QuickAdd
            projectId={projectId}
            statusId={column.statusId}
            column={column.name}
            onClose={() => onAdd(null)}
          />
        ) : (
          <button
            type="button"
            className="add-task"
            onClick={() => onAdd(column.statusId)}
            onMouseDown={(event) => {
              // A card that somebody else adds meanwhile moves the button away from under the pointer: no click then.
              if (event.button !== 0) return
              event.preventDefault() // the focus goes to the new field, and stays there
              onAdd(column.statusId)
            }}
          >
            <PlusIcon />
            Add task<span className="visually-hidden"> to {column.name}</span>
          </button>
        )}
      </footer>
    </section>
  )
})

function ColumnHead({ column, projectId, onDelete, onAdd }: Props) {
  const [renaming, setRenaming] = useState(false)
  const rename = useUpdateStatus(column.statusId, projectId)
  const finish = (name: string | null) => {
    setRenaming(false)
    if (name !== null) rename.mutate({ name })
  }
  return (
    <header className="column-head">
      {renaming ? (
        <NameForm label={`New name of ${column.name}`} initial={column.name} onDone={finish} />
      ) : (
        <h2>{column.name}</h2>
      )}
      <span className="count">
        {column.tasks.length}
        <span className="visually-hidden">{column.tasks.length === 1 ? ' task' : ' tasks'}</span>
      </span>
      <Menu
        label={`Actions for column ${column.name}`}
        groups={[
          {
            items: [
              { label: 'Add task', run: () => onAdd(column.statusId) },
              { label: 'Rename column', run: () => setRenaming(true) },
            ],
          },
          { items: [{ label: 'Delete column', run: () => onDelete(column.statusId), danger: true }] },
        ]}
      >
        <MoreIcon />
      </Menu>
    </header>
  )
}

function Cards({ column, columns, lifted, saving, news, onOpen, onPointerDown, onKeyDown }: Props) {
  const here = lifted?.target.statusId === column.statusId ? lifted : null
  const slotAt = here?.mode === 'pointer' ? here.target.beforeId : undefined
  const slot = slotAt === undefined ? null : <Slot height={here?.box?.height ?? 0} />
  const rest = column.tasks.filter((task) => task.id !== lifted?.taskId || lifted.mode === 'pointer')
  const shown = lifted?.mode === 'keyboard' && here ? withLifted(columns, rest, lifted) : rest
  const inSight = shown.some((task) => task.id === slotAt)
  if (shown.length === 0 && !slot) return <li className="column-empty">No tasks here yet</li>
  return (
    <>
      {shown.map((task) => (
        <Fragment key={task.id}>
          {task.id === slotAt && slot}
          <Card
            task={task}
            columns={columns}
            saving={saving.has(task.id)}
            news={news.get(task.id)}
            look={lookOf(task.id, lifted)}
            onOpen={onOpen}
            onPointerDown={onPointerDown}
            onKeyDown={onKeyDown}
          />
        </Fragment>
      ))}
      {!inSight && slot}
    </>
  )
}

function withLifted(
  columns: readonly ColumnView[],
  rest: ColumnView['tasks'],
  lifted: Lifted,
): ColumnView['tasks'] {
  const task = columns.flatMap((column) => column.tasks).find((one) => one.id === lifted.taskId)
  if (!task) return rest
  const at = rest.findIndex((one) => one.id === lifted.target.beforeId)
  return rest.toSpliced(at < 0 ? rest.length : at, 0, task)
}

function lookOf(taskId: string, lifted: Lifted | null): 'rest' | 'hidden' | 'lifted' {
  if (lifted?.taskId !== taskId) return 'rest'
  return lifted.mode === 'pointer' ? 'hidden' : 'lifted'
}

/** The drop indicator: as high as the card that will lie there. */
function Slot({ height }: { height: number }) {
  return <li className="slot" data-slot aria-hidden="true" style={{ height }} />
}
