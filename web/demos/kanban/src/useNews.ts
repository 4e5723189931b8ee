/** Which cards and columns somebody else has just changed, for a short highlight. Compares; fetches nothing. */

import { useEffect, useRef, useState } from 'react'

import { useServices } from './services'
import type { Project } from './types'

export interface News {
  /** Empty when it was not done through the board. */
  by: string
  /** New for each change, so that a second change restarts the highlight. */
  number: number
}

const SHOWN_MS = 2_600

/** `base` is what the server told, without the page's own unconfirmed changes. */
export function useNews(base: Project | undefined): ReadonlyMap<string, News> {
  const { pending } = useServices()
  const before = useRef<Project | undefined>(undefined)
  const [news, setNews] = useState<ReadonlyMap<string, News>>(new Map())
  const number = useRef(0)

  useEffect(() => {
    const last = before.current
    before.current = base
    if (!last || !base || last.id !== base.id) return setNews((old) => (old.size === 0 ? old : new Map()))
    const foreign = changedByOthers(last, base, (id) => pending.isOwn(id))
    if (foreign.length === 0) return undefined
    const count = ++number.current
    setNews((old) => new Map([...old, ...foreign.map(({ id, by }) => [id, { by, number: count }] as const)]))
    setTimeout(() => setNews((old) => new Map([...old].filter(([, one]) => one.number !== count))), SHOWN_MS)
    return undefined
  }, [base, pending])

  return news
}

interface Row {
  id: string
  mutationId: string | null
  updatedBy: string
}

/**
 * Rows that are new or differ, unless this page wrote them, and who did it. A change under the same mutation id was
 * made beside the app, such as in a SQL shell.
 */
export function changedByOthers(
  last: Project,
  now: Project,
  isOwn: (mutationId: string | null) => boolean,
): { id: string; by: string }[] {
  return [...differing(last.tasks, now.tasks, isOwn), ...differing(last.statuses, now.statuses, isOwn)]
}

function differing(
  last: readonly Row[],
  now: readonly Row[],
  isOwn: (id: string | null) => boolean,
): { id: string; by: string }[] {
  const known = new Map(last.map((row) => [row.id, row]))
  return now.flatMap((row) => {
    const old = known.get(row.id)
    if (old && sameRow(old, row)) return []
    const outside = old?.mutationId === row.mutationId
    return outside || !isOwn(row.mutationId) ? [{ id: row.id, by: outside ? '' : row.updatedBy }] : []
  })
}

/** By content: in a list that grew or shrank, equal rows need not be the same objects. */
function sameRow<Shape extends object>(one: Shape, other: Shape): boolean {
  return (
    one === other || (Object.keys(other) as (keyof Shape)[]).every((field) => one[field] === other[field])
  )
}
