/** A priority as bars that say it without colour too. */

import type { Priority as Level } from '../types'

export const PRIORITY_NAMES: Record<Level, string> = {
  none: 'No priority',
  low: 'Low',
  medium: 'Medium',
  high: 'High',
  urgent: 'Urgent',
}
const BARS: Record<Level, number> = { none: 0, low: 1, medium: 2, high: 3, urgent: 3 }

export function Priority({ level }: { level: Level }) {
  if (level === 'none') return null
  return (
    <span className={`priority priority-${level}`} title={`Priority: ${PRIORITY_NAMES[level]}`}>
      <svg width="14" height="14" viewBox="0 0 14 14" aria-hidden="true">
        {level === 'urgent' ? (
          <path
            fill="currentColor"
            fillRule="evenodd"
            d="M3 0h8a3 3 0 0 1 3 3v8a3 3 0 0 1-3 3H3a3 3 0 0 1-3-3V3a3 3 0 0 1 3-3Zm3.2 3h1.6v5H6.2V3Zm0 6.4h1.6V11H6.2V9.4Z"
          />
        ) : (
          [0, 1, 2].map((bar) => (
            <rect
              key={bar}
              x={1 + bar * 4.5}
              y={8 - bar * 3}
              width="3"
              height={5 + bar * 3}
              rx="1"
              fill="currentColor"
              opacity={bar < BARS[level] ? 1 : 0.28}
            />
          ))
        )}
      </svg>
      <span className="visually-hidden">Priority: {PRIORITY_NAMES[level]}</span>
    </span>
  )
}
