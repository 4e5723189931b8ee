/** The board's elements as dragging needs them: what lies where, what has the focus. Decides nothing. */

import { EASE, mayMove, MOVE_MS } from './motion'
import { beforeAt, type ColumnView, type Step, type Target } from './targets'

/** The copy that hangs on the pointer. */
export function carriedCard(): HTMLElement | null {
  return document.querySelector<HTMLElement>('[data-carried]')
}

/** The browser sends a click after a drag that ends where it began; it must not open the card. */
export function suppressNextClick(): void {
  window.addEventListener('click', swallow, { capture: true, once: true })
  setTimeout(() => window.removeEventListener('click', swallow, { capture: true }), CLICK_MS)
}

/** The click follows the release at once. */
const CLICK_MS = 50

function swallow(click: Event): void {
  click.preventDefault()
  click.stopPropagation()
}

/** The place below a point, by layout and not by what is just gliding there. */
export function targetUnder(taskId: string, x: number, y: number): Target | undefined {
  const lists = [...document.querySelectorAll<HTMLElement>('[data-column-list]')]
  const list = lists.reduce<HTMLElement | undefined>(
    (best, one) => (!best || distance(one, x) < distance(best, x) ? one : best),
    undefined,
  )
  const statusId = list?.dataset['columnList']
  if (!list || statusId === undefined) return undefined
  const boxes = [...list.querySelectorAll<HTMLElement>('[data-card]')]
    .filter((card) => card.dataset['card'] !== taskId)
    .map((card) => ({ id: card.dataset['card'] ?? '', top: card.offsetTop, height: card.offsetHeight }))
  return { statusId, beforeId: beforeAt(boxes, y - list.getBoundingClientRect().top + list.scrollTop) }
}

function distance(list: HTMLElement, x: number): number {
  const { left, right } = list.getBoundingClientRect()
  return x < left ? left - x : Math.max(0, x - right)
}

/** Let the copy glide onto the slot that waits for it. */
export async function settle(): Promise<void> {
  const copy = carriedCard()
  const slot = document.querySelector('[data-slot]')
  if (!copy || !slot || !mayMove()) return
  const [from, to] = [copy.getBoundingClientRect(), slot.getBoundingClientRect()]
  const now = new DOMMatrixReadOnly(getComputedStyle(copy).transform)
  const end = `translate3d(${now.m41 + to.left - from.left}px, ${now.m42 + to.top - from.top}px, 0)`
  const glide = copy.animate([{}, { transform: end }], { duration: MOVE_MS, easing: EASE, fill: 'forwards' })
  await glide.finished.catch(() => undefined)
}

export function focusCard(taskId: string | undefined): void {
  if (taskId === undefined) return
  document.querySelector<HTMLElement>(`[data-open="${CSS.escape(taskId)}"]`)?.focus()
}

/** Arrow keys without a card in hand: go from card to card; empty columns are passed over. */
export function focusNeighbour(columns: readonly ColumnView[], taskId: string, step: Step): void {
  const column = columns.findIndex((one) => one.tasks.some((task) => task.id === taskId))
  const tasks = columns[column]?.tasks ?? []
  const index = tasks.findIndex((task) => task.id === taskId)
  if (step === 'ArrowLeft' || step === 'ArrowRight') {
    const side =
      step === 'ArrowLeft' ? columns.slice(0, Math.max(0, column)).toReversed() : columns.slice(column + 1)
    const there = side.find((one) => one.tasks.length > 0)?.tasks ?? []
    return focusCard(there[Math.min(index, there.length - 1)]?.id)
  }
  const wanted = { ArrowUp: index - 1, ArrowDown: index + 1, Home: 0, End: tasks.length - 1 }[step]
  return focusCard(tasks[wanted]?.id)
}
