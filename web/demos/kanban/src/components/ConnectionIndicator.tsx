/** Whether the board is live, in words. Silent for short breaks; says when the rows may be old and what is not sent. */

import { useEffect, useState, useSyncExternalStore } from 'react'

import type { Connection } from '../connectionMachine'
import { useServices } from '../services'

type Look = 'live' | 'wait' | 'off'

export interface Shown {
  look: Look
  text: string
  /** Whole seconds until the next attempt. */
  seconds?: number
  retry: boolean
  old: boolean
}

/** What to show. A break shorter than `blipMs` still looks connected. dataAt: when the rows were last read. */
export function show(
  connection: Connection,
  now: number,
  dataAt: number,
  { blipMs, oldAfterMs }: { blipMs: number; oldAfterMs: number },
): Shown {
  const { state, downSince, wasConnected, nextAt } = connection
  const down = downSince === undefined ? 0 : now - downSince
  const old = state !== 'connected' && down >= blipMs && dataAt > 0 && now - dataAt > oldAfterMs
  if (state === 'connected') return { look: 'live', text: 'Connected', retry: false, old: false }
  if (state === 'offline') return { look: 'off', text: 'Offline', retry: false, old }
  if (state === 'refused') return { look: 'off', text: 'Live updates are off', retry: true, old }
  if (wasConnected && down < blipMs) return { look: 'live', text: 'Connected', retry: false, old: false }
  if (state === 'waiting') {
    const seconds = Math.max(1, Math.ceil(((nextAt ?? now) - now) / 1000))
    return { look: 'wait', text: 'Reconnecting', seconds, retry: true, old }
  }
  return {
    look: 'wait',
    text: wasConnected || connection.attempt > 0 ? 'Reconnecting…' : 'Connecting…',
    retry: false,
    old,
  }
}

export function ConnectionIndicator({ dataAt }: { dataAt: number }) {
  const { connection, settings } = useServices()
  const current = useSyncExternalStore(connection.subscribe, connection.snapshot)
  const now = useClock(current.state !== 'connected')
  const shown = show(current, now, dataAt, settings)
  const unsent = useUnsent(now)
  return (
    <div className="connection" data-look={shown.look}>
      <span className="connection-dot" aria-hidden="true" />
      <output className="connection-text">
        {shown.text}
        {shown.old && <span className="connection-hint"> · data may be old</span>}
        {unsent > 0 && (
          <span className="connection-hint">
            {' '}
            · {unsent === 1 ? '1 unsent change' : `${unsent} unsent changes`}
          </span>
        )}
      </output>
      {shown.seconds !== undefined && (
        <span className="connection-count" aria-hidden="true">
          in {shown.seconds} s
        </span>
      )}
      {shown.retry && (
        <button type="button" className="link-button" onClick={() => connection.retryNow()}>
          Retry now
        </button>
      )}
    </div>
  )
}

/** Own changes that have been on their way for longer than a blip. */
function useUnsent(now: number): number {
  const { pending, settings } = useServices()
  useSyncExternalStore(pending.subscribe, pending.snapshot)
  return pending.unsent().filter((one) => now - one.madeAt > settings.blipMs).length
}

/** The time, twice a second while it matters, else only when asked to draw. */
function useClock(running: boolean): number {
  const { pending } = useServices()
  const operations = useSyncExternalStore(pending.subscribe, pending.snapshot)
  const [now, setNow] = useState(Date.now)
  const needed = running || operations.length > 0
  useEffect(() => {
    if (!needed) return undefined
    const timer = setInterval(() => setNow(Date.now()), 500)
    return () => clearInterval(timer)
  }, [needed])
  return now
}
