/** The few icons of the page, drawn here. All are decoration: the name stands beside them or on their button. */

import type { ReactNode } from 'react'

function Icon({ children, size = 16 }: { children: ReactNode; size?: number }) {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.6"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      {children}
    </svg>
  )
}

export const PlusIcon = () => (
  <Icon>
    <path d="M8 3.5v9M3.5 8h9" />
  </Icon>
)
export const CloseIcon = () => (
  <Icon>
    <path d="m4.5 4.5 7 7m0-7-7 7" />
  </Icon>
)
export const CheckIcon = () => (
  <Icon>
    <path d="m3.5 8.5 3 3 6-7" />
  </Icon>
)
export const AlertIcon = () => (
  <Icon>
    <path d="M8 5v3.5M8 11h.01" />
    <circle cx="8" cy="8" r="6.2" />
  </Icon>
)
export const ChevronIcon = () => (
  <Icon size={14}>
    <path d="m4.5 6.5 3.5 3.5 3.5-3.5" />
  </Icon>
)
export const HelpIcon = () => (
  <Icon>
    <path d="M6.2 6.2a1.9 1.9 0 1 1 2.7 1.9c-.6.3-.9.7-.9 1.3M8 11.8h.01" />
  </Icon>
)
export const MoreIcon = () => (
  <svg width="16" height="16" viewBox="0 0 16 16" fill="currentColor" aria-hidden="true">
    <circle cx="3.5" cy="8" r="1.4" />
    <circle cx="8" cy="8" r="1.4" />
    <circle cx="12.5" cy="8" r="1.4" />
  </svg>
)
export const LogoIcon = () => (
  <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true">
    <rect width="32" height="32" rx="8" fill="var(--accent)" />
    <g fill="var(--on-accent)">
      <rect x="7" y="8" width="5" height="16" rx="1.6" />
      <rect x="13.5" y="8" width="5" height="10" rx="1.6" opacity=".85" />
      <rect x="20" y="8" width="5" height="13" rx="1.6" opacity=".7" />
    </g>
  </svg>
)
