/** Lets cards glide to where a change puts them, whoever made it. A class, for only classes see the moment before. */

import { Component, createRef, type ReactNode } from 'react'

import { EASE, MOVE_MS, mayMove } from './motion'

interface Props {
  children: ReactNode
  className: string
  /** A card that has its own motion just now. */
  except: string | null
}

type Rects = Map<string, DOMRect>

/** Above this many cards measuring costs more than the motion is worth. */
const MOST_CARDS = 400

export class FlipBoundary extends Component<Props, object, Rects> {
  private readonly root = createRef<HTMLDivElement>()

  override getSnapshotBeforeUpdate(): Rects {
    return mayMove() ? this.measure() : new Map()
  }

  override componentDidUpdate(_props: Props, _state: object, before: Rects): void {
    if (before.size === 0) return
    for (const element of this.cards()) {
      const id = element.dataset['flip'] ?? ''
      if (id !== this.props.except) animate(element, before.get(id))
    }
  }

  override render(): ReactNode {
    return (
      <div ref={this.root} className={this.props.className}>
        {this.props.children}
      </div>
    )
  }

  private cards(): HTMLElement[] {
    const found = this.root.current?.querySelectorAll<HTMLElement>('[data-flip]') ?? []
    return found.length > MOST_CARDS ? [] : [...found]
  }

  private measure(): Rects {
    return new Map(
      this.cards().map((element) => [element.dataset['flip'] ?? '', element.getBoundingClientRect()]),
    )
  }
}

function animate(element: HTMLElement, before: DOMRect | undefined): void {
  if (!before) {
    element.animate([{ opacity: 0, transform: 'translateY(-6px)' }, {}], { duration: MOVE_MS, easing: EASE })
    return
  }
  const after = element.getBoundingClientRect()
  const [x, y] = [before.left - after.left, before.top - after.top]
  if (Math.abs(x) < 1 && Math.abs(y) < 1) return
  element.animate([{ transform: `translate(${x}px, ${y}px)` }, { transform: 'none' }], {
    duration: MOVE_MS,
    easing: EASE,
  })
}
