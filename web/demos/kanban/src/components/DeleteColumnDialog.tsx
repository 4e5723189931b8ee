/** Before a column goes: its tasks need a new home, chosen here. An empty column is only confirmed. */

import { useState } from 'react'

import type { ColumnView } from '../drag/targets'
import { useDeleteStatus } from '../mutations'
import { Dialog } from './Dialog'

interface Props {
  projectId: string
  column: ColumnView
  columns: ColumnView[]
  onClose: () => void
}

export function DeleteColumnDialog({ projectId, column, columns, onClose }: Props) {
  const remove = useDeleteStatus(column.statusId, projectId)
  const others = columns.filter((one) => one.statusId !== column.statusId)
  const [moveTo, setMoveTo] = useState(others[0]?.statusId ?? '')
  const count = column.tasks.length
  const stuck = count > 0 && others.length === 0
  const confirm = () => {
    onClose()
    remove.mutate({ moveTo: count > 0 ? moveTo : null })
  }
  return (
    <Dialog title={`Delete “${column.name}”?`} onClose={onClose} className="narrow">
      {count === 0 && <p className="dialog-text">The column is empty. It disappears for everybody.</p>}
      {stuck && (
        <p className="dialog-text">
          It is the only column and still has tasks. Add another column first, then move them there.
        </p>
      )}
      {count > 0 && !stuck && (
        <>
          <p className="dialog-text">
            {count === 1 ? 'Its task moves to another column.' : `Its ${count} tasks move to another column.`}{' '}
            Nothing is lost.
          </p>
          <label className="field">
            <span>{count === 1 ? 'Move the task to' : 'Move the tasks to'}</span>
            <select value={moveTo} onChange={(event) => setMoveTo(event.target.value)}>
              {others.map((one) => (
                <option key={one.statusId} value={one.statusId}>
                  {one.name}
                </option>
              ))}
            </select>
          </label>
        </>
      )}
      <div className="dialog-actions">
        <span className="spacer" />
        <button type="button" className="button" onClick={onClose}>
          Cancel
        </button>
        <button type="button" className="button danger" disabled={stuck} onClick={confirm}>
          {count > 0 && !stuck ? 'Move and delete' : 'Delete column'}
        </button>
      </div>
    </Dialog>
  )
}
