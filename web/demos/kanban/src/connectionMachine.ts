/**
 * The connection as one table, for the indicator and the retries. Pure: no socket, no clock.
 *
 *   idle ──► connecting ──► connected ◄──► reconnecting ──► waiting (counts down) ──► reconnecting
 *                  └──► waiting      offline (from anywhere, back through reconnecting)      refused
 *
 * pusher-js's own states come in as events: `connecting` and `connecting_in` → connecting, `connected`,
 * `unavailable`, `failed`, and `disconnected` when it was not this page that asked for it.
 */

export type ConnectionState =
  'idle' | 'connecting' | 'connected' | 'reconnecting' | 'waiting' | 'offline' | 'refused'
export type ConnectionEvent =
  'connecting' | 'connected' | 'unavailable' | 'failed' | 'disconnected' | 'offline' | 'online' | 'retry'

export const TRANSITIONS: Record<ConnectionState, Partial<Record<ConnectionEvent, ConnectionState>>> = {
  idle: { connecting: 'connecting', offline: 'offline' },
  connecting: {
    connected: 'connected',
    unavailable: 'waiting',
    failed: 'waiting',
    disconnected: 'refused',
    offline: 'offline',
  },
  connected: {
    connecting: 'reconnecting',
    unavailable: 'waiting',
    failed: 'waiting',
    disconnected: 'refused',
    offline: 'offline',
  },
  reconnecting: {
    connected: 'connected',
    unavailable: 'waiting',
    failed: 'waiting',
    disconnected: 'refused',
    offline: 'offline',
  },
  waiting: { retry: 'reconnecting', connected: 'connected', offline: 'offline' },
  offline: { online: 'reconnecting' },
  refused: { retry: 'reconnecting', offline: 'offline' },
}

export interface Connection {
  state: ConnectionState
  /** Attempts since the connection was last there; picks the next delay. */
  attempt: number
  /** When the next attempt starts, milliseconds; only while waiting. */
  nextAt?: number
  /** Since when the page is without a connection, milliseconds. */
  downSince?: number
  /** D1: "was connected before, and dropped since", not "the state before this one". */
  wasConnected: boolean
}

export const INITIAL: Connection = { state: 'idle', attempt: 0, wasConnected: false }

/** The connection after `event` at time `now`; the same object when the table has no such pair. */
export function next(connection: Connection, event: ConnectionEvent, now: number): Connection {
  const state = TRANSITIONS[connection.state][event]
  if (state === undefined) return connection
  const wasConnected = connection.wasConnected || state === 'connected'
  if (state === 'connected') return { state, attempt: 0, wasConnected }
  const attempt = connection.attempt + (state === 'reconnecting' && event === 'retry' ? 1 : 0)
  return { state, attempt, wasConnected, downSince: connection.downSince ?? now }
}

export interface Backoff {
  firstMs: number
  factor: number
  maxMs: number
}

/** First retry soon, then doubling up to half a minute, and never an end while somebody looks (C8). */
export const BACKOFF: Backoff = { firstMs: 2_000, factor: 2, maxMs: 30_000 }

/** Between half and all of the ladder's step, so that many pages do not return together (D17). random: 0 to 1. */
export function retryDelay(
  attempt: number,
  random: number,
  { firstMs, factor, maxMs }: Backoff = BACKOFF,
): number {
  const step = Math.min(maxMs, firstMs * factor ** attempt)
  return Math.round(step * (0.5 + random / 2))
}
