/** Short messages on the screen: a bounded list that forgets by itself. Draws nothing. */

export interface ToastAction {
  label: string
  run: () => void
}

export interface Toast {
  id: number
  kind: 'success' | 'error'
  text: string
  detail?: string
  action?: ToastAction
  /** Milliseconds until it goes. */
  lasts: number
}

type Extra = Partial<Pick<Toast, 'detail' | 'action'>>

/** More than this hides the board; the oldest goes first. */
const SHOWN = 3
const SUCCESS_MS = 3_500
const ACTION_MS = 8_000
const ERROR_MS = 10_000

export class Toasts {
  private list: readonly Toast[] = []
  private readonly listeners = new Set<() => void>()
  private lastId = 0

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  readonly snapshot = (): readonly Toast[] => this.list

  success(text: string, extra: Extra = {}): void {
    this.show({ kind: 'success', text, lasts: extra.action ? ACTION_MS : SUCCESS_MS, ...extra })
  }

  error(text: string, extra: Extra = {}): void {
    this.show({ kind: 'error', text, lasts: ERROR_MS, ...extra })
  }

  readonly dismiss = (id: number): void => {
    this.publish(this.list.filter((toast) => toast.id !== id))
  }

  private show(toast: Omit<Toast, 'id'>): void {
    // The same words again replace the ones that stand there; an offer such as Undo stays.
    const others = this.list.filter((shown) => shown.action !== undefined || shown.text !== toast.text)
    this.publish([...others, { ...toast, id: ++this.lastId }].slice(-SHOWN))
  }

  private publish(next: readonly Toast[]): void {
    this.list = next
    for (const listener of this.listeners) listener()
  }
}
