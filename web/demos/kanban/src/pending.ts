/** Keeps the operations that are not confirmed, and lets go of each one at the right moment. Folds nothing itself. */

import { confirmedBy, type Operation } from './optimistic'
import type { Project } from './types'

export class PendingStore {
  private operations: readonly Operation[] = []
  private readonly listeners = new Set<() => void>()
  private readonly fetchTicks = new Map<string, number>()
  /** The row versions that this page wrote itself, so that they are not shown as somebody else's. */
  private readonly ownMutations = new Set<string>()
  private tick = 0

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  readonly snapshot = (): readonly Operation[] => this.operations

  add(operation: Operation): void {
    this.ownMutations.add(operation.id)
    this.publish([...this.operations, operation])
  }

  /** The write was refused: take this one operation back and leave all others alone. */
  remove(id: string): void {
    this.publish(this.operations.filter((operation) => operation.id !== id))
  }

  /** The write was saved. The operation stays over the base until a read shows its result. */
  answer(id: string, version: number | undefined): void {
    const answered = { tick: ++this.tick, ...(version === undefined ? {} : { version }) }
    this.publish(this.operations.map((one) => (one.id === id ? { ...one, answered } : one)))
  }

  /** A read of the project begins. */
  fetchStarted(projectId: string): void {
    this.fetchTicks.set(projectId, ++this.tick)
  }

  /** A read has ended with `base`: let go of what it shows, and of what was answered before it began. */
  fetchEnded(projectId: string, base: Project): void {
    const began = this.fetchTicks.get(projectId) ?? 0
    const left = this.operations.filter((operation) => {
      if (operation.projectId !== projectId || !operation.answered) return true
      return operation.answered.tick > began && !confirmedBy(base, operation)
    })
    if (left.length !== this.operations.length) this.publish(left)
  }

  isOwn(mutationId: string | null): boolean {
    return mutationId !== null && this.ownMutations.has(mutationId)
  }

  /** Own writes that nobody has answered yet. */
  unsent(): readonly Operation[] {
    return this.operations.filter((operation) => !operation.answered)
  }

  private publish(next: readonly Operation[]): void {
    this.operations = next
    for (const listener of this.listeners) listener()
  }
}
