/** How things move, and whether they may. Everything is still when the person asked for less motion. */

export const EASE = 'cubic-bezier(0.2, 0.8, 0.2, 1)'
export const MOVE_MS = 200

export function mayMove(): boolean {
  return typeof matchMedia === 'function' && !matchMedia('(prefers-reduced-motion: reduce)').matches
}
