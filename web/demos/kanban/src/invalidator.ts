/** Invalidation that is coalesced for each query, however many keys or prefixes asked for it. Fetches nothing itself. */

import type { Query, QueryClient, QueryKey } from '@tanstack/react-query'

import { Coalescer } from './coalescer'
import type { Logger } from './trail'

/** Above this many remembered queries the ones that left the cache are forgotten. */
const SWEEP_ABOVE = 100

export class Invalidator {
  private readonly coalescers = new Map<string, Coalescer>()

  constructor(
    private readonly client: QueryClient,
    private readonly intervalMs: number,
    private readonly logger: Logger,
  ) {}

  /**
   * Mark everything under `queryKey` as outdated and fetch what is on screen. An invalidation always wins over
   * `staleTime` (K25). Warns when no query matches, for that is nearly always a mistyped key (K22), unless `optional`.
   */
  invalidate(queryKey: QueryKey, context: { correlation: string; optional?: boolean }): void {
    this.logger.debug({ step: 'Invalidating queries', correlation: context.correlation, key: queryKey })
    const matched = this.client.getQueryCache().findAll({ queryKey })
    if (matched.length === 0 && !context.optional) {
      this.logger.warn('invalidate matched 0 queries', queryKey)
    }
    for (const query of matched) {
      query.invalidate()
      if (query.isActive()) this.coalescerOf(query).request()
    }
  }

  dispose(): void {
    for (const coalescer of this.coalescers.values()) coalescer.dispose()
    this.coalescers.clear()
  }

  private coalescerOf(query: Query): Coalescer {
    const known = this.coalescers.get(query.queryHash)
    if (known) return known
    if (this.coalescers.size >= SWEEP_ABOVE) this.sweep()
    const made = new Coalescer(() => this.fetch(query.queryKey), this.intervalMs)
    this.coalescers.set(query.queryHash, made)
    return made
  }

  /** A fetch that was under way before may have read the rows before the change: wait for it, then read again. */
  private async fetch(queryKey: QueryKey): Promise<void> {
    const filters = { queryKey, exact: true, type: 'active' } as const
    const underWay = this.client.isFetching(filters) > 0
    await this.client.refetchQueries(filters, { cancelRefetch: false })
    if (underWay) await this.client.refetchQueries(filters, { cancelRefetch: false })
  }

  private sweep(): void {
    for (const [hash, coalescer] of this.coalescers) {
      if (this.client.getQueryCache().get(hash)) continue
      coalescer.dispose()
      this.coalescers.delete(hash)
    }
  }
}
