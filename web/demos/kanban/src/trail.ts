/** The debug trail (K26): what was broadcast, received and invalidated, under one correlation id. Prints nowhere itself. */

export interface TrailEntry {
  step: 'Broadcasting event:' | 'Received event:' | 'Received update:' | 'Invalidating queries' | 'Mutation'
  /** The mutation id of an own change, else an id made on arrival. */
  correlation: string
  event?: string
  data?: unknown
  key?: readonly unknown[]
}

export interface Logger {
  debug(entry: TrailEntry): void
  warn(message: string, detail?: unknown): void
  error(message: string, detail?: unknown): void
}

/** What the page uses: errors always, the trail only when the address asks for it with `?debug`. */
export function consoleLogger(options: { debug: boolean }): Logger {
  return {
    debug: options.debug ? (entry) => console.debug(entry.step, entry) : () => undefined,
    warn: (message, detail) => console.warn(message, detail),
    error: (message, detail) => console.error(message, detail),
  }
}
