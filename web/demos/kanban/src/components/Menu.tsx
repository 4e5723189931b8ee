/** A menu button: arrow keys, Escape, a click elsewhere, and focus back to the button. Knows no board. */

import {
  useEffect,
  useId,
  useLayoutEffect,
  useRef,
  useState,
  type KeyboardEvent,
  type ReactNode,
  type RefObject,
} from 'react'
import { createPortal } from 'react-dom'

export interface MenuItem {
  label: string
  run: () => void
  danger?: boolean
  current?: boolean
}

export interface MenuGroup {
  title?: string
  items: MenuItem[]
}

interface Props {
  label: string
  groups: MenuGroup[]
  children: ReactNode
  className?: string
}

export function Menu({ label, groups, children, className = 'icon-button' }: Props) {
  const [open, setOpen] = useState(false)
  const button = useRef<HTMLButtonElement>(null)
  const id = useId()
  const close = (focus: boolean) => {
    setOpen(false)
    if (focus) button.current?.focus()
  }
  return (
    <>
      <button
        ref={button}
        type="button"
        className={className}
        aria-label={label}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        data-no-drag
        onClick={() => setOpen(!open)}
      >
        {children}
      </button>
      {open &&
        createPortal(
          <MenuList id={id} label={label} groups={groups} anchor={button} onClose={close} />,
          document.querySelector('main') ?? document.body,
        )}
    </>
  )
}

/** A scroll that began before the menu opened may still be running out. */
const SETTLING_MS = 300

interface ListProps {
  id: string
  label: string
  groups: MenuGroup[]
  anchor: RefObject<HTMLElement | null>
  onClose: (focus: boolean) => void
}

function MenuList({ id, label, groups, anchor, onClose }: ListProps) {
  const list = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    if (list.current && anchor.current) place(list.current, anchor.current.getBoundingClientRect())
    items(list.current)[0]?.focus({ preventScroll: true })
  }, [anchor])
  useEffect(() => {
    const outside = (event: Event) => {
      const target = event.target as Node
      if (!list.current?.contains(target) && !anchor.current?.contains(target)) onClose(false)
    }
    const opened = performance.now()
    const scrolled = (event: Event) => {
      const settling = performance.now() - opened < SETTLING_MS
      if (!settling && !list.current?.contains(event.target as Node)) onClose(false)
    }
    document.addEventListener('pointerdown', outside)
    document.addEventListener('scroll', scrolled, true)
    return () => {
      document.removeEventListener('pointerdown', outside)
      document.removeEventListener('scroll', scrolled, true)
    }
  }, [anchor, onClose])

  const onKeyDown = (event: KeyboardEvent) => {
    const all = items(list.current)
    const at = all.indexOf(document.activeElement as HTMLElement)
    const wanted = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key]
    if (wanted !== undefined) all[(wanted + all.length) % all.length]?.focus()
    else if (event.key === 'Escape') onClose(true)
    else if (event.key === 'Tab') return onClose(false)
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  return (
    <div
      ref={list}
      id={id}
      role="menu"
      tabIndex={-1}
      aria-label={label}
      className="menu"
      data-no-drag
      onKeyDown={onKeyDown}
    >
      {groups
        .filter((group) => group.items.length > 0)
        .map((group, number) => (
          // A menu groups with a role: a fieldset may not stand in one.
          // oxlint-disable-next-line jsx-a11y/prefer-tag-over-role
          <div key={group.title ?? number} role="group" aria-label={group.title} className="menu-group">
            {group.title && (
              <div className="menu-title" aria-hidden="true">
                {group.title}
              </div>
            )}
            {group.items.map((item) => (
              <button
                key={item.label}
                type="button"
                role="menuitem"
                tabIndex={-1}
                className={item.danger ? 'menu-item danger' : 'menu-item'}
                onClick={() => {
                  onClose(true)
                  item.run()
                }}
              >
                {item.label}
              </button>
            ))}
          </div>
        ))}
    </div>
  )
}

function items(list: HTMLElement | null): HTMLElement[] {
  return [...(list?.querySelectorAll<HTMLElement>('[role="menuitem"]') ?? [])]
}

/** Below the button and inside the window; above it when there is no room below. */
function place(list: HTMLElement, anchor: DOMRect): void {
  const gap = 6
  const { width, height } = list.getBoundingClientRect()
  const left = Math.max(gap, Math.min(anchor.right - width, innerWidth - width - gap))
  const below = anchor.bottom + gap
  const top = below + height < innerHeight ? below : Math.max(gap, anchor.top - gap - height)
  list.style.left = `${left}px`
  list.style.top = `${top}px`
}
