/**
 * Picking a card up with mouse, finger, pen or keyboard, and putting it down. Moves nothing on the server.
 *
 * Mouse and pen lift after a few pixels; a finger lifts by resting, so that a swipe still scrolls. The original stays
 * in the page while the finger is down, because a removed element would take its touch events along.
 */

import type { KeyboardEvent, PointerEvent } from 'react'

import { carriedCard, focusNeighbour, settle, suppressNextClick, targetUnder } from './dom'
import { Press } from './press'
import {
  describe,
  placeOf,
  sameTarget,
  stepTarget,
  STEPS,
  type ColumnView,
  type Step,
  type Target,
} from './targets'

export interface Box {
  left: number
  top: number
  width: number
  height: number
}

export interface Lifted {
  taskId: string
  mode: 'pointer' | 'keyboard'
  target: Target
  /** Size and place of the card when it was lifted, for the copy that follows the pointer. */
  box?: Box
}

export interface DragState {
  lifted: Lifted | null
  /** The card that the pointer has just put down: it has had its motion. */
  landed: string | null
}

export interface DragOptions {
  columns: readonly ColumnView[]
  onDrop: (taskId: string, target: Target) => void
  say: (text: string) => void
}

const REST: DragState = { lifted: null, landed: null }

export class DragController {
  private state = REST
  private options: DragOptions = { columns: [], onDrop: () => undefined, say: () => undefined }
  private press: Press | null = null
  private readonly listeners = new Set<() => void>()

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  readonly snapshot = (): DragState => this.state

  /** What the board shows now, and what it wants to hear. */
  use(options: DragOptions): void {
    this.options = options
  }

  /** The board leaves the page. */
  dispose(): void {
    this.press?.end()
    this.press = null
    this.set(REST)
  }

  readonly onPointerDown = (event: PointerEvent<HTMLElement>, taskId: string): void => {
    const inner = event.target as HTMLElement
    if (event.button !== 0 || !event.isPrimary || this.press || inner.closest('[data-no-drag]')) return
    const element = event.currentTarget
    this.press = new Press(event.nativeEvent, {
      isLifted: () => this.state.lifted !== null,
      lift: () => this.lift(taskId, 'pointer', element.getBoundingClientRect()),
      follow: () => this.follow(),
      finish: (drop) => this.finish(drop),
    })
  }

  readonly onKeyDown = (event: KeyboardEvent<HTMLElement>, taskId: string): void => {
    const { lifted } = this.state
    if (lifted?.mode === 'keyboard') this.steer(event, lifted)
    else if (event.key === ' ') {
      event.preventDefault()
      this.lift(taskId, 'keyboard')
    } else if (isStep(event.key)) {
      event.preventDefault()
      focusNeighbour(this.options.columns, taskId, event.key)
    }
  }

  private lift(taskId: string, mode: Lifted['mode'], rect?: DOMRect): void {
    const target = placeOf(this.options.columns, taskId)
    if (!target) return
    const box = rect && { left: rect.left, top: rect.top, width: rect.width, height: rect.height }
    this.set({ lifted: { taskId, mode, target, ...(box ? { box } : {}) }, landed: null })
    const help = mode === 'keyboard' ? ' Arrow keys move it, Space drops it, Escape cancels.' : ''
    this.options.say(`Picked up ${this.titleOf(taskId)}. ${this.placeText(taskId, target)}.${help}`)
  }

  /** While a card is carried by keys, every key is its own. */
  private steer(event: KeyboardEvent, lifted: Lifted): void {
    event.preventDefault()
    event.stopPropagation()
    if (event.key === 'Escape') this.finish(false)
    else if (event.key === ' ' || event.key === 'Enter') this.finish(true)
    else if (isStep(event.key)) {
      const target = stepTarget(this.options.columns, lifted.taskId, lifted.target, event.key)
      this.aim(lifted, target)
      this.options.say(`${this.placeText(lifted.taskId, target)}.`)
    }
  }

  private follow(): void {
    const { lifted } = this.state
    const copy = carriedCard()
    if (!lifted?.box || !this.press || !copy) return
    const { dx, dy, x } = this.press
    copy.style.transform = `translate3d(${dx}px, ${dy}px, 0)`
    const target = targetUnder(lifted.taskId, x, lifted.box.top + dy + lifted.box.height / 2)
    if (target && !sameTarget(target, lifted.target)) this.aim(lifted, target)
  }

  private finish(drop: boolean): void {
    this.press?.end()
    this.press = null
    const { lifted } = this.state
    if (!lifted) return
    const { taskId, mode, target } = lifted
    const origin = placeOf(this.options.columns, taskId)
    const place = this.placeText(taskId, target)
    this.options.say(drop ? `Dropped in ${place}.` : 'Cancelled. The card is back in its place.')
    if (!drop && origin) this.aim(lifted, origin)
    const close = () => this.close(lifted, drop && !sameTarget(origin, target))
    if (mode === 'keyboard') close()
    else {
      suppressNextClick()
      requestAnimationFrame(() => void settle().then(close))
    }
  }

  private close({ taskId, mode, target }: Lifted, moved: boolean): void {
    this.set({ lifted: null, landed: mode === 'pointer' ? taskId : null })
    if (moved) this.options.onDrop(taskId, target)
  }

  private aim(lifted: Lifted, target: Target): void {
    this.set({ lifted: { ...lifted, target }, landed: null })
  }

  private titleOf(taskId: string): string {
    const tasks = this.options.columns.flatMap((column) => column.tasks)
    return tasks.find((task) => task.id === taskId)?.title ?? ''
  }

  private placeText(taskId: string, target: Target): string {
    const { column, position, of } = describe(this.options.columns, taskId, target)
    return `${column}, position ${position} of ${of}`
  }

  private set(state: DragState): void {
    this.state = state
    for (const listener of this.listeners) listener()
  }
}

function isStep(key: string): key is Step {
  return STEPS.includes(key)
}
