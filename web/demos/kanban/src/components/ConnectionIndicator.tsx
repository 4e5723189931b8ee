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
  if (state === 'connected' || (state === 'reconnecting' && wasConnected && down < blipMs)) return LIVE
  const old = down >= blipMs && dataAt > 0 && now - dataAt > oldAfterMs
  const say = (text: string, whenOld: string) => (old ? `Data may be old · ${whenOld}` : text)
  if (state === 'offline') return { look: 'off', text: say('Offline', 'offline'), retry: false }
  if (state === 'refused')
    return { look: 'off', text: say('Live updates are off', 'live updates are off'), retry: true }
  if (state === 'waiting') {
    if (wasConnected && down < blipMs) return LIVE
    const seconds = Math.max(1, Math.ceil(((nextAt ?? now) - now) / 1000))
    return { look: 'wait', text: say('Reconnecting', 'retrying'), seconds, retry: true }
  }
  const again = wasConnected || connection.attempt > 0
  const text = again ? say('Reconnecting…', 'reconnecting…') : 'Connecting…'
  return { look: 'wait', text, retry: false }
}

const LIVE: Shown = { look: 'live', text: 'Connected', retry: false }

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
