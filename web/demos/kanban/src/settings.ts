/** Every choice of the page in one object (settings C1 to C17), with its default. Decides nothing itself. */

export interface Settings {
  /** C9: who announces a committed change. */
  emit: 'server' | 'client-trigger'
  /** C2: `fallback` polls only while the socket is not connected. */
  poll: 'fallback' | 'always' | 'never'
  pollMs: number
  /** C3: which of response and event makes the page fetch; the second of the two is dropped. */
  confirm: 'both-deduped' | 'response' | 'event'
  /** C4: K18 refetches the whole project on every kind of change. */
  listOn: 'all'
  /** K25: how long a read counts as fresh without an invalidation. */
  staleTime: number
  /** C14, K24: at most one fetch a key in this time, after the first one at once. */
  coalesceMs: number
  /** A write that is not answered by then has failed for the person in front of the screen. */
  requestTimeoutMs: number
  /** An own event is expected this long after the answer; later ones are treated as somebody else's. */
  echoMs: number
  /** Breaks of the connection shorter than this are not shown. */
  blipMs: number
  /** Rows read longer ago than this are called old while there is no connection. */
  oldAfterMs: number
}

export const DEFAULTS: Settings = {
  emit: 'server',
  poll: 'fallback',
  pollMs: 5_000,
  confirm: 'both-deduped',
  listOn: 'all',
  staleTime: 30_000,
  coalesceMs: 300,
  requestTimeoutMs: 15_000,
  echoMs: 10_000,
  blipMs: 1_500,
  oldAfterMs: 15_000,
}
