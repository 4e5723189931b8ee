/** One pointer from down to up: when it lifts the card, where it is, and what must not happen meanwhile. */

import { AutoScroll } from './autoScroll'

const MOUSE_SLOP = 5
const TOUCH_SLOP = 8
/** Long enough that a swipe never lifts, short enough that nobody waits. */
const TOUCH_REST_MS = 220

export interface PressCallbacks {
  isLifted: () => boolean
  lift: () => void
  follow: () => void
  finish: (drop: boolean) => void
}

export class Press {
  x: number
  y: number
  private startX: number
  private startY: number
  private readonly touch: boolean
  private readonly rest: ReturnType<typeof setTimeout> | undefined
  private readonly scroll: AutoScroll
  private readonly ended = new AbortController()

  constructor(
    down: globalThis.PointerEvent,
    private readonly callbacks: PressCallbacks,
  ) {
    this.x = this.startX = down.clientX
    this.y = this.startY = down.clientY
    this.touch = down.pointerType === 'touch'
    this.scroll = new AutoScroll(() => callbacks.follow())
    if (this.touch) this.rest = setTimeout(() => this.raise(), TOUCH_REST_MS)
    this.listen()
  }

  get dx(): number {
    return this.x - this.startX
  }

  get dy(): number {
    return this.y - this.startY
  }

  end(): void {
    clearTimeout(this.rest)
    this.scroll.stop()
    this.ended.abort()
  }

  private listen(): void {
    const { signal } = this.ended
    const { isLifted, finish } = this.callbacks
    window.addEventListener('pointermove', (move) => this.onMove(move), { signal })
    window.addEventListener('pointerup', () => finish(true), { signal })
    window.addEventListener('pointercancel', () => finish(false), { signal })
    window.addEventListener('keydown', (key) => key.key === 'Escape' && finish(false), { signal })
    window.addEventListener('contextmenu', (menu) => this.touch && menu.preventDefault(), { signal })
    // Not passive: while a card is carried the finger must not scroll the page.
    const onTouchMove = (move: TouchEvent) => isLifted() && move.preventDefault()
    window.addEventListener('touchmove', onTouchMove, { signal, passive: false })
  }

  private onMove(move: globalThis.PointerEvent): void {
    this.x = move.clientX
    this.y = move.clientY
    const far = Math.hypot(this.dx, this.dy)
    if (this.callbacks.isLifted()) {
      this.scroll.steer(this.x, this.y)
      this.callbacks.follow()
    } else if (this.touch) {
      if (far > TOUCH_SLOP) this.callbacks.finish(false) // A swipe: let it scroll.
    } else if (far > MOUSE_SLOP) this.raise()
  }

  private raise(): void {
    this.callbacks.lift()
    this.startX = this.x
    this.startY = this.y
    if (this.touch) navigator.vibrate?.(8)
  }
}
