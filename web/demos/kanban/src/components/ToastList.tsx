/** The short messages, bottom centre. They wait while somebody points at them or tabs into them. */

import { useEffect, useState, useSyncExternalStore } from 'react'

import { useServices } from '../services'
import type { Toast } from '../toasts'
import { AlertIcon, CheckIcon, CloseIcon } from './icons'

export function ToastList() {
  const { toasts } = useServices()
  const list = useSyncExternalStore(toasts.subscribe, toasts.snapshot)
  return (
    <section
      className="toasts"
      aria-label="Messages"
      aria-live="polite"
      aria-atomic="false"
      aria-relevant="additions"
    >
      {list.map((toast) => (
        <ToastItem key={toast.id} toast={toast} onDismiss={toasts.dismiss} />
      ))}
    </section>
  )
}

function ToastItem({ toast, onDismiss }: { toast: Toast; onDismiss: (id: number) => void }) {
  const [held, setHeld] = useState(false)
  useEffect(() => {
    if (held) return undefined
    const timer = setTimeout(() => onDismiss(toast.id), toast.lasts)
    return () => clearTimeout(timer)
  }, [held, toast, onDismiss])
  const act = () => {
    onDismiss(toast.id)
    toast.action?.run()
  }
  return (
    <div
      className={`toast ${toast.kind}`}
      data-toast={toast.kind}
      onPointerEnter={() => setHeld(true)}
      onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)}
      onBlur={() => setHeld(false)}
    >
      {toast.kind === 'success' ? <CheckIcon /> : <AlertIcon />}
      <div className="toast-text">
        <span>{toast.text}</span>
        {toast.detail && <small>{toast.detail}</small>}
      </div>
      {toast.action && (
        <button type="button" className="toast-action" onClick={act}>
          {toast.action.label}
        </button>
      )}
      <button type="button" className="icon-button" aria-label="Dismiss" onClick={() => onDismiss(toast.id)}>
        <CloseIcon />
      </button>
    </div>
  )
}
