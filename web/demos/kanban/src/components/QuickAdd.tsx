/** The line at the end of a column where a new task is typed. Stays open for the next one. */

import { useEffect, useRef, useState, type KeyboardEvent } from 'react'

import { useCreateTask } from '../mutations'

const TITLE_MAX = 200

interface Props {
  projectId: string
  statusId: string
  column: string
  onClose: () => void
}

export function QuickAdd({ projectId, statusId, column, onClose }: Props) {
  const create = useCreateTask(projectId)
  const [title, setTitle] = useState('')
  const field = useRef<HTMLTextAreaElement>(null)
  useEffect(() => {
    field.current?.focus()
    field.current?.scrollIntoView({ block: 'nearest' })
  }, [])

  const add = () => {
    const text = title.trim()
    if (text === '') return
    setTitle('')
    create.mutate({ title: text, statusId })
    requestAnimationFrame(() => field.current?.scrollIntoView({ block: 'nearest' }))
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return
    if (event.key === 'Enter' && !event.shiftKey) {
      event.preventDefault()
      add()
    } else if (event.key === 'Escape') onClose()
  }

  return (
    <form
      className="quick-add"
      onSubmit={(event) => {
        event.preventDefault()
        add()
      }}
    >
      <textarea
        ref={field}
        rows={2}
        value={title}
        maxLength={TITLE_MAX}
        aria-label={`Title of the new task in ${column}`}
        placeholder="What needs to be done?"
        enterKeyHint="done"
        onChange={(event) => setTitle(event.target.value.replaceAll('\n', ' '))}
        onKeyDown={onKeyDown}
        onBlur={(event) => {
          if (title.trim() === '' && !event.currentTarget.form?.contains(event.relatedTarget)) onClose()
        }}
      />
      <div className="quick-add-actions">
        <button type="submit" className="button primary" disabled={title.trim() === ''}>
          Add task
        </button>
        <button type="button" className="button quiet" onClick={onClose}>
          Cancel
        </button>
      </div>
    </form>
  )
}
