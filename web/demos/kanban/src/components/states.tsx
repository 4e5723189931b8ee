/** The board when there is no board to show: loading, failed, or empty. */

import { ApiError } from '../api'
import { PlusIcon } from './icons'

const SHAPES = {
  first: ['a', 'b', 'c'],
  second: ['a', 'b', 'c', 'd'],
  third: ['a', 'b'],
  fourth: ['a', 'b', 'c'],
}

export function BoardSkeleton() {
  return (
    <div className="board skeleton" aria-busy="true">
      <output className="visually-hidden">Loading the board</output>
      {Object.entries(SHAPES).map(([column, cards]) => (
        <div key={column} className="column">
          <div className="bone bone-title" />
          {cards.map((card) => (
            <div key={card} className="bone bone-card" />
          ))}
        </div>
      ))}
    </div>
  )
}

/** Refusals that trying again cannot change. */
const HEADINGS: Record<number, string> = {
  401: 'Nobody here has that name',
  403: 'This project is not yours',
}

export function BoardError({
  error,
  onRetry,
  busy = false,
}: {
  error: unknown
  onRetry: () => void
  busy?: boolean
}) {
  const status = error instanceof ApiError ? error.status : 0
  const heading = HEADINGS[status] ?? 'The board could not be loaded'
  const detail = error instanceof ApiError ? error.detail : 'Something unexpected happened.'
  return (
    <div className="message" role="alert">
      <h2>{heading}</h2>
      <p>{detail}</p>
      {HEADINGS[status] === undefined && (
        <button type="button" className="button primary" onClick={onRetry} disabled={busy}>
          {busy ? 'Trying…' : 'Try again'}
        </button>
      )}
    </div>
  )
}

export function BoardEmpty({ onAdd }: { onAdd: () => void }) {
  return (
    <div className="message">
      <h2>A fresh board</h2>
      <p>Columns are the steps that work goes through. Start with one, such as “To do”.</p>
      <button type="button" className="button primary" onClick={onAdd}>
        <PlusIcon /> Add a column
      </button>
    </div>
  )
}
