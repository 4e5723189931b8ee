/**
 * Own changes that are not confirmed yet, folded over what the server last told.
 *
 * An overlay, not a snapshot: taking one change back leaves everybody else's alone (D5), and a refetch that is under
 * way cannot bring the old value back (D4). Pure; who keeps the operations is `pending.ts`.
 */

import { generateKeyBetween } from 'fractional-indexing'

import type { Project, Status, Task, TaskChanges } from './types'

export type Change =
  | { kind: 'create-task'; task: Task; beforeId: string | null }
  | { kind: 'update-task'; taskId: string; changes: TaskChanges }
  | { kind: 'move-task'; taskId: string; statusId: string; beforeId: string | null }
  | { kind: 'delete-task'; taskId: string }
  | { kind: 'create-status'; status: Status }
  | { kind: 'update-status'; statusId: string; name: string }
  | { kind: 'delete-status'; statusId: string; moveTo: string | null }

export interface Operation {
  id: string
  projectId: string
  change: Change
  /** When it was made, milliseconds. */
  madeAt: number
  /** Set by the answer: the version of the saved row, where there is one. */
  answered?: { version?: number; tick: number }
}

/** What people see: `base` with every operation applied in order. The same object when there is nothing to apply. */
export function fold(base: Project, operations: readonly Operation[]): Project {
  return operations.reduce((project, operation) => apply(project, operation), base)
}

function apply(project: Project, operation: Operation): Project {
  const { change } = operation
  if (operation.projectId !== project.id || confirmedBy(project, operation)) return project
  switch (change.kind) {
    case 'create-task':
      return { ...project, tasks: placed(project.tasks, change.task, change.beforeId) }
    case 'update-task':
      return { ...project, tasks: changed(project.tasks, change.taskId, change.changes) }
    case 'move-task':
      return { ...project, tasks: moved(project.tasks, change.taskId, change.statusId, change.beforeId) }
    case 'delete-task':
      return { ...project, tasks: project.tasks.filter((task) => task.id !== change.taskId) }
    case 'create-status':
      return { ...project, statuses: [...project.statuses, change.status] }
    case 'update-status':
      return { ...project, statuses: changed(project.statuses, change.statusId, { name: change.name }) }
    case 'delete-status':
      return withoutStatus(project, change.statusId, change.moveTo)
  }
}

/** True when `base` shows the operation's result, or something newer. */
export function confirmedBy(base: Project, { change, answered }: Operation): boolean {
  switch (change.kind) {
    case 'create-task':
      return base.tasks.some((task) => task.id === change.task.id)
    case 'create-status':
      return base.statuses.some((status) => status.id === change.status.id)
    case 'delete-task':
      return !base.tasks.some((task) => task.id === change.taskId)
    case 'delete-status':
      return !base.statuses.some((status) => status.id === change.statusId)
    case 'update-task':
    case 'move-task':
      return atLeast(base.tasks, change.taskId, answered?.version)
    case 'update-status':
      return atLeast(base.statuses, change.statusId, answered?.version)
  }
}

function atLeast(
  rows: readonly { id: string; version: number }[],
  id: string,
  version: number | undefined,
): boolean {
  const row = rows.find((candidate) => candidate.id === id)
  return row === undefined || (version !== undefined && row.version >= version)
}

function changed<Item extends { id: string }>(
  rows: readonly Item[],
  id: string,
  changes: Partial<NoInfer<Item>>,
): Item[] {
  return rows.map((row) => (row.id === id ? { ...row, ...changes } : row))
}

function moved(tasks: readonly Task[], taskId: string, statusId: string, beforeId: string | null): Task[] {
  const task = tasks.find((candidate) => candidate.id === taskId)
  if (!task) return [...tasks]
  const others = tasks.filter((candidate) => candidate.id !== taskId)
  return placed(others, { ...task, statusId }, beforeId)
}

function placed(tasks: readonly Task[], task: Task, beforeId: string | null): Task[] {
  const column = inOrder(tasks.filter((other) => other.statusId === task.statusId))
  const at = column.findIndex((other) => other.id === beforeId)
  const next = at < 0 ? undefined : column[at]
  const previous = at < 0 ? column.at(-1) : column[at - 1]
  const position = keyBetween(previous?.position ?? null, next?.position ?? null)
  return [...tasks, { ...task, position }]
}

/** The key that the back end will give too, so that the card does not jump when the answer comes. */
function keyBetween(low: string | null, high: string | null): string | null {
  try {
    return generateKeyBetween(low, high)
  } catch {
    return low // Hand-written rows may tie; the back end lays the column out afresh.
  }
}

function withoutStatus(project: Project, statusId: string, moveTo: string | null): Project {
  const leaving = inOrder(project.tasks.filter((task) => task.statusId === statusId))
  const tasks =
    moveTo === null
      ? project.tasks
      : leaving.reduce((all, task) => moved(all, task.id, moveTo, null), project.tasks)
  return { ...project, tasks, statuses: project.statuses.filter((status) => status.id !== statusId) }
}

/** By position; rows without one stand at the end, and ties keep the server's order. */
export function inOrder<Item extends { position: string | null }>(rows: readonly Item[]): Item[] {
  return rows.toSorted((a, b) => {
    if (a.position === b.position) return 0
    if (a.position === null) return 1
    if (b.position === null) return -1
    return a.position < b.position ? -1 : 1
  })
}

/** The ids of the rows that an operation touches, for "is being saved" marks. */
export function touched({ change }: Operation): string {
  switch (change.kind) {
    case 'create-task':
      return change.task.id
    case 'create-status':
      return change.status.id
    case 'update-status':
    case 'delete-status':
      return change.statusId
    default:
      return change.taskId
  }
}
