/** Where a lifted card would land: pure geometry and keyboard steps. Touches no element. */

import { inOrder } from '../optimistic'
import type { Project, Task } from '../types'

export interface Target {
  statusId: string
  /** The card that will stand after it; null for the end of the column. */
  beforeId: string | null
}

export interface ColumnView {
  statusId: string
  name: string
  tasks: Task[]
}

export interface CardBox {
  id: string
  /** From the top of the column's list, without running animations. */
  top: number
  height: number
}

/** The columns in order, each with its tasks in order. */
export function columnsOf(project: Project): ColumnView[] {
  return inOrder(project.statuses).map((status) => ({
    statusId: status.id,
    name: status.name,
    tasks: inOrder(project.tasks.filter((task) => task.statusId === status.id)),
  }))
}

/** The first card whose middle lies below `y`; null for the end. */
export function beforeAt(boxes: readonly CardBox[], y: number): string | null {
  return boxes.find((box) => y < box.top + box.height / 2)?.id ?? null
}

/** Where a card is now, as a target. */
export function placeOf(columns: readonly ColumnView[], taskId: string): Target | undefined {
  for (const { statusId, tasks } of columns) {
    const at = tasks.findIndex((task) => task.id === taskId)
    if (at >= 0) return { statusId, beforeId: tasks[at + 1]?.id ?? null }
  }
  return undefined
}

export function sameTarget(a: Target | undefined, b: Target | undefined): boolean {
  return a?.statusId === b?.statusId && a?.beforeId === b?.beforeId
}

export type Step = 'ArrowUp' | 'ArrowDown' | 'ArrowLeft' | 'ArrowRight' | 'Home' | 'End'
export const STEPS: readonly string[] = ['ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', 'Home', 'End']

/** The target after one key; the same one at an edge. */
export function stepTarget(
  columns: readonly ColumnView[],
  taskId: string,
  target: Target,
  step: Step,
): Target {
  const others = withoutTask(columns, taskId)
  const column = others.findIndex((one) => one.statusId === target.statusId)
  const here = others[column]
  if (!here) return target
  const index = indexIn(here, target)
  if (step === 'ArrowLeft' || step === 'ArrowRight') {
    const there = others[column + (step === 'ArrowLeft' ? -1 : 1)]
    return there ? targetAt(there, index) : target
  }
  const wanted = { ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: here.tasks.length }[step]
  return targetAt(here, Math.max(0, Math.min(here.tasks.length, wanted)))
}

/** `position` from 1, and the length of the column with the card in it. */
export function describe(columns: readonly ColumnView[], taskId: string, target: Target) {
  const column = withoutTask(columns, taskId).find((one) => one.statusId === target.statusId)
  const tasks = column?.tasks ?? []
  return {
    column: column?.name ?? '',
    position: column ? indexIn(column, target) + 1 : 1,
    of: tasks.length + 1,
  }
}

function withoutTask(columns: readonly ColumnView[], taskId: string): ColumnView[] {
  return columns.map((column) => ({ ...column, tasks: column.tasks.filter((task) => task.id !== taskId) }))
}

function indexIn(column: ColumnView, target: Target): number {
  const at = column.tasks.findIndex((task) => task.id === target.beforeId)
  return at < 0 ? column.tasks.length : at
}

function targetAt(column: ColumnView, index: number): Target {
  return { statusId: column.statusId, beforeId: column.tasks[index]?.id ?? null }
}
