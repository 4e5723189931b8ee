/** Drives pusher-js by the machine: hears its states, plans the retries, wakes up on `online`. Subscribes to nothing. */

import {
  BACKOFF,
  INITIAL,
  next,
  retryDelay,
  type Backoff,
  type Connection,
  type ConnectionEvent,
} from './connectionMachine'
import type { PusherLike } from './pusherLike'

const PUSHER_STATES = ['connecting', 'connected', 'unavailable', 'failed', 'disconnected'] as const

export interface ConnectionOptions {
  now?: () => number
  random?: () => number
  backoff?: Backoff
}

export class ConnectionMonitor {
  private connection: Connection = INITIAL
  private readonly listeners = new Set<() => void>()
  private readonly cleanups: (() => void)[] = []
  private timer: ReturnType<typeof setTimeout> | undefined
  /** Our own `disconnect` is not a refusal by the server. */
  private closing = false
  private readonly now: () => number
  private readonly random: () => number
  private readonly backoff: Backoff

  constructor(
    private readonly pusher: PusherLike,
    { now = Date.now, random = Math.random, backoff = BACKOFF }: ConnectionOptions = {},
  ) {
    this.now = now
    this.random = random
    this.backoff = backoff
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  readonly snapshot = (): Connection => this.connection

  /** Begin to listen; the returned function ends it, with every timer (D16). */
  start(): () => void {
    for (const state of PUSHER_STATES) this.hear(state, state)
    this.hear('connecting_in', 'connecting')
    this.hearWindow('offline', () => this.dispatch('offline'))
    this.hearWindow('online', () => this.backOnline())
    this.hearWindow('visibilitychange', () => document.visibilityState === 'visible' && this.wake())
    if (!navigator.onLine) this.dispatch('offline')
    const { state } = this.pusher.connection
    if (state === 'connecting' || state === 'connected') this.dispatch(state)
    return () => this.stop()
  }

  /** Try at once; does nothing while there is a connection or an attempt under way. */
  retryNow(): void {
    const { state } = this.connection
    if (state !== 'waiting' && state !== 'refused') return
    this.dispatch('retry')
    this.pusher.connect()
  }

  /** Something says that the network is back: also an attempt that hangs begins anew. pusher-js would wait out 15 s. */
  wake(): void {
    const { state } = this.connection
    if (state === 'connecting' || state === 'reconnecting') {
      this.silently(() => this.pusher.disconnect())
      this.pusher.connect()
    } else this.retryNow()
  }

  private backOnline(): void {
    if (this.connection.state !== 'offline') return this.wake()
    this.dispatch('online')
    if (this.pusher.connection.state === 'connected') this.dispatch('connected')
    else this.pusher.connect()
  }

  private hear(name: string, event: ConnectionEvent): void {
    const handler = () => {
      if (event !== 'disconnected' || !this.closing) this.dispatch(event)
    }
    this.pusher.connection.bind(name, handler)
    this.cleanups.push(() => this.pusher.connection.unbind(name, handler))
  }

  private hearWindow(name: string, handler: () => void): void {
    const target = name === 'visibilitychange' ? document : window
    target.addEventListener(name, handler)
    this.cleanups.push(() => target.removeEventListener(name, handler))
  }

  private dispatch(event: ConnectionEvent): void {
    const after = next(this.connection, event, this.now())
    if (after === this.connection) return
    clearTimeout(this.timer)
    this.connection = after.state === 'waiting' ? this.planRetry(after) : after
    for (const listener of this.listeners) listener()
  }

  /** pusher-js would go on without a pause and without jitter; the pause is ours, so that it can be shown. */
  private planRetry(connection: Connection): Connection {
    this.silently(() => this.pusher.disconnect())
    const delay = retryDelay(connection.attempt, this.random(), this.backoff)
    this.timer = setTimeout(() => this.retryNow(), delay)
    return { ...connection, nextAt: this.now() + delay }
  }

  private silently(act: () => void): void {
    this.closing = true
    act()
    this.closing = false
  }

  private stop(): void {
    clearTimeout(this.timer)
    for (const cleanup of this.cleanups.splice(0)) cleanup()
  }
}
