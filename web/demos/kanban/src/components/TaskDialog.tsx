/** Editing one task. Only touched fields are kept here; the others go on following what everybody else does. */

import { useState, type FormEvent } from 'react'

import type { ColumnView } from '../drag/targets'
import { useMoveTask, useUpdateTask } from '../mutations'
import { PRIORITIES, type Project, type Task, type TaskChanges } from '../types'
import { useDeleteWithUndo } from './Card'
import { Dialog } from './Dialog'
import { PRIORITY_NAMES } from './Priority'

interface Props {
  task: Task | undefined
  project: Project
  columns: ColumnView[]
  onClose: () => void
}

export function TaskDialog({ task, project, columns, onClose }: Props) {
  if (!task) {
    return (
      <Dialog title="This task is gone" onClose={onClose} className="narrow">
        <p className="dialog-text">Somebody deleted it while it was open.</p>
        <div className="dialog-actions">
          <button type="button" className="button primary" onClick={onClose}>
            Close
          </button>
        </div>
      </Dialog>
    )
  }
  return <Editor task={task} project={project} columns={columns} onClose={onClose} />
}

type Draft = TaskChanges & { statusId?: string }

function Editor({ task, project, columns, onClose }: Props & { task: Task }) {
  const [draft, setDraft] = useState<Draft>({})
  const [opened] = useState(task)
  const update = useUpdateTask(task.id, project.id)
  const move = useMoveTask(project.id)
  const remove = useDeleteWithUndo(task, columns)
  const shown = { ...task, ...draft }
  const set = (change: Draft) => setDraft({ ...draft, ...change })

  const save = (event?: FormEvent) => {
    event?.preventDefault()
    const { statusId, ...rest } = draft
    const changes = realChanges(task, rest)
    if (shown.title.trim() === '') return
    if (Object.keys(changes).length > 0) update.mutate(changes)
    if (statusId !== undefined && statusId !== task.statusId)
      move.mutate({ taskId: task.id, statusId, beforeId: null })
    onClose()
  }

  return (
    <Dialog title="Edit task" onClose={onClose}>
      <form onSubmit={save}>
        <Overtaken opened={opened} task={task} draft={draft} />
        <label className="field">
          <span>Title</span>
          <input
            value={shown.title}
            maxLength={200}
            required
            onChange={(event) => set({ title: event.target.value })}
          />
        </label>
        <label className="field">
          <span>Description</span>
          <textarea
            rows={4}
            value={shown.description}
            maxLength={5000}
            placeholder="Add more detail…"
            onChange={(event) => set({ description: event.target.value })}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && (event.metaKey || event.ctrlKey))
                event.currentTarget.form?.requestSubmit()
            }}
          />
        </label>
        <div className="field-grid">
          <Choice
            label="Column"
            value={shown.statusId}
            options={columns.map(({ statusId, name }) => [statusId, name])}
            onChange={(statusId) => set({ statusId })}
          />
          <Choice
            label="Assignee"
            value={shown.assignee ?? ''}
            options={[['', 'Nobody'], ...project.members.map((name) => [name, name] as [string, string])]}
            onChange={(name) => set({ assignee: name || null })}
          />
          <Choice
            label="Priority"
            value={shown.priority}
            options={PRIORITIES.map((level) => [level, PRIORITY_NAMES[level]])}
            onChange={(level) => set({ priority: level as Task['priority'] })}
          />
          <label className="field">
            <span>Label</span>
            <input
              value={shown.label}
              maxLength={24}
              placeholder="None"
              onChange={(event) => set({ label: event.target.value })}
            />
          </label>
        </div>
        <div className="dialog-actions">
          <button
            type="button"
            className="button danger quiet"
            onClick={() => {
              onClose()
              remove()
            }}
          >
            Delete task
          </button>
          <span className="spacer" />
          <button type="button" className="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="button primary" disabled={shown.title.trim() === ''}>
            Save
          </button>
        </div>
      </form>
    </Dialog>
  )
}

/** Fields whose draft differs from what is saved now; typing a value back is no change. */
function realChanges(task: Task, draft: TaskChanges): TaskChanges {
  const clean = {
    ...draft,
    ...(draft.title === undefined ? {} : { title: draft.title.trim() }),
    ...(draft.label === undefined ? {} : { label: draft.label.trim() }),
  }
  return Object.fromEntries(
    Object.entries(clean).filter(([field, value]) => task[field as keyof Task] !== value),
  )
}

function Overtaken({ opened, task, draft }: { opened: Task; task: Task; draft: Draft }) {
  if (task.version === opened.version) return null
  const both = (Object.keys(draft) as (keyof Draft)[]).filter(
    (field) => task[field] !== opened[field] && draft[field] !== task[field],
  )
  const who = task.updatedBy || 'Somebody'
  return (
    <output className="notice">
      {both.length > 0
        ? `${who} changed the ${both.join(' and ').replace('statusId', 'column')} too. Saving keeps yours.`
        : `${who} changed this task just now; what you see is up to date.`}
    </output>
  )
}

interface ChoiceProps {
  label: string
  value: string
  options: readonly (readonly [string, string])[]
  onChange: (value: string) => void
}

function Choice({ label, value, options, onChange }: ChoiceProps) {
  return (
    <label className="field">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.target.value)}>
        {options.map(([key, name]) => (
          <option key={key} value={key}>
            {name}
          </option>
        ))}
      </select>
    </label>
  )
}
