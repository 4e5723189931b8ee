/** Scrolls the board and its columns while a card is held near an edge. */

const EDGE = 56
const FASTEST = 14

export class AutoScroll {
  private frame = 0
  private x = 0
  private y = 0

  constructor(private readonly onScroll: () => void) {}

  steer(x: number, y: number): void {
    ;[this.x, this.y] = [x, y]
    if (this.frame === 0) this.frame = requestAnimationFrame(() => this.tick())
  }

  stop(): void {
    cancelAnimationFrame(this.frame)
    this.frame = 0
  }

  private tick(): void {
    this.frame = 0
    const board = document.querySelector<HTMLElement>('[data-board]')
    const list = document.elementsFromPoint(this.x, this.y).find((one) => one.matches('[data-column-list]'))
    let moved = false
    if (board) {
      const { left, right } = board.getBoundingClientRect()
      moved = shift(board, 'scrollLeft', speed(this.x, left, right))
    }
    if (list) {
      const { top, bottom } = list.getBoundingClientRect()
      moved = shift(list, 'scrollTop', speed(this.y, top, bottom)) || moved
    }
    if (!moved) return
    this.onScroll()
    this.frame = requestAnimationFrame(() => this.tick())
  }
}

function speed(at: number, low: number, high: number): number {
  if (at < low + EDGE) return -FASTEST * Math.min(1, (low + EDGE - at) / EDGE)
  if (at > high - EDGE) return FASTEST * Math.min(1, (at - high + EDGE) / EDGE)
  return 0
}

function shift(element: Element, side: 'scrollLeft' | 'scrollTop', by: number): boolean {
  if (by === 0) return false
  const before = element[side]
  element[side] += by
  return element[side] !== before
}
