/**
 * One subscription on the wire for each project, however many hooks listen (K17), over one shared connection.
 *
 * A hook that leaves takes only its own listener along (D10); the last one ends the subscription. Fetches nothing.
 */

import type { ChannelLike, Handler, PusherLike } from './pusherLike'
import type { Logger } from './trail'
import { EVENTS, type EventData, type EventName } from './types'

export type Listener = (event: EventName, data: EventData) => void

export interface RealtimeCallbacks {
  /** K15: the server did not let us listen. Once for each refusal, however many hooks there are. */
  onSubscriptionError(projectId: string, error: SubscriptionError): void
  /** The subscription stands. `again` is true when it stood before and was lost in between (D1). */
  onSubscribed(projectId: string, again: boolean): void
}

export interface SubscriptionError {
  type?: string
  error?: string
  status?: number
}

interface Shared {
  channel: ChannelLike
  listeners: Set<Listener>
  bindings: Map<string, Handler>
  stoodBefore: boolean
}

export class Realtime {
  private readonly shared = new Map<string, Shared>()

  constructor(
    private readonly pusher: PusherLike,
    private readonly logger: Logger,
    private readonly callbacks: RealtimeCallbacks,
    private readonly prefix = '',
  ) {}

  channelName(projectId: string): string {
    return `${this.prefix}project-${projectId}`
  }

  /** Listen to a project; the returned function ends this listener and no other. */
  join(projectId: string, listener: Listener): () => void {
    const shared = this.shared.get(projectId) ?? this.subscribe(projectId)
    const own: Listener = (event, data) => listener(event, data) // The same function may join twice.
    shared.listeners.add(own)
    return () => {
      shared.listeners.delete(own)
      if (shared.listeners.size === 0 && this.shared.get(projectId) === shared)
        this.unsubscribe(projectId, shared)
    }
  }

  /** Projects with a subscription, for tests and the debug trail. */
  get subscriptions(): number {
    return this.shared.size
  }

  private subscribe(projectId: string): Shared {
    const shared: Shared = {
      channel: this.pusher.subscribe(this.channelName(projectId)),
      listeners: new Set(),
      bindings: new Map(),
      stoodBefore: false,
    }
    this.shared.set(projectId, shared)
    for (const event of EVENTS) this.bind(shared, event, (data) => this.deliver(shared, event, data))
    this.bind(shared, 'pusher:subscription_succeeded', () => this.succeeded(projectId, shared))
    this.bind(shared, 'pusher:subscription_error', (error) => this.refused(projectId, error))
    return shared
  }

  private bind(shared: Shared, event: string, handler: Handler): void {
    shared.bindings.set(event, handler)
    shared.channel.bind(event, handler)
  }

  private unsubscribe(projectId: string, shared: Shared): void {
    for (const [event, handler] of shared.bindings) shared.channel.unbind(event, handler)
    this.shared.delete(projectId)
    this.pusher.unsubscribe(this.channelName(projectId))
  }

  private deliver(shared: Shared, event: EventName, data: unknown): void {
    const ids = readIds(data)
    for (const listener of shared.listeners) listener(event, ids)
  }

  private succeeded(projectId: string, shared: Shared): void {
    const again = shared.stoodBefore
    shared.stoodBefore = true
    this.callbacks.onSubscribed(projectId, again)
  }

  private refused(projectId: string, error: unknown): void {
    const known =
      typeof error === 'object' && error !== null ? (error as SubscriptionError) : { error: String(error) }
    this.logger.error('Subscription error:', known)
    this.callbacks.onSubscriptionError(projectId, known)
  }
}

/** Ids and nothing else (K3); whatever else a sender put in is not looked at. A missing id is tolerated (K8). */
export function readIds(data: unknown): EventData {
  const ids: EventData = {}
  if (typeof data !== 'object' || data === null) return ids
  for (const key of ['taskId', 'statusId', 'newStatusId', 'projectId'] as const) {
    const value = (data as Record<string, unknown>)[key]
    if (typeof value === 'string' || typeof value === 'number') ids[key] = String(value)
  }
  return ids
}
