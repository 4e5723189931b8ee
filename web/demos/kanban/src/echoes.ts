/**
 * Recognises the page's own changes when their events come back (D6): the answer already made it fetch.
 *
 * Events carry ids only, so an own event is told by its name and id, once for each own write. Should somebody else's
 * event be taken for the own one, the own one follows and counts instead: a fetch after both commits is certain.
 * Own events get lost only with the connection, and then everything is fetched again (see `forget`).
 */

import type { EventData, EventName } from './types'

interface Expected {
  mutationId: string
  events: readonly EventName[]
  id: string
  /** When to stop waiting; unset until the write is answered. */
  until?: number
}

/** More own writes than this are never under way; the oldest are forgotten first. */
const KEPT = 200

export class Echoes {
  private expected: Expected[] = []
  private readonly seen = new Set<string>()

  constructor(
    private readonly waitMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** A write is about to be sent whose event will be one of `events` about `id`. */
  expect(mutationId: string, events: readonly EventName[], id: string): void {
    this.expected.push({ mutationId, events, id })
    if (this.expected.length > KEPT) this.expected.shift()
  }

  /** The write was answered well; its event, if it has not come yet, should come soon. */
  answered(mutationId: string): void {
    this.seen.delete(mutationId)
    for (const entry of this.expected) {
      if (entry.mutationId === mutationId) entry.until = this.now() + this.waitMs
    }
  }

  /** The write was refused or never answered. True when its event came all the same: it was committed. */
  failed(mutationId: string): boolean {
    this.expected = this.expected.filter((entry) => entry.mutationId !== mutationId)
    return this.seen.delete(mutationId)
  }

  /** The mutation id when this event is the page's own, each one once; else undefined. */
  match(event: EventName, data: EventData): string | undefined {
    const now = this.now()
    this.expected = this.expected.filter((entry) => entry.until === undefined || entry.until > now)
    const id = data.taskId ?? data.statusId
    const at = this.expected.findIndex((entry) => entry.id === id && entry.events.includes(event))
    if (at < 0) return undefined
    const [own] = this.expected.splice(at, 1)
    if (own && own.until === undefined) this.seen.add(own.mutationId)
    return own?.mutationId
  }

  /** The connection was lost: what was expected may never come. */
  forget(): void {
    this.expected = []
    this.seen.clear()
  }
}
