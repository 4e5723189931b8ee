/**
 * Turns a rush of requests into few runs: the first at once, the rest gathered.
 *
 * Not a debounce. A debounce waits for silence, and a fetch that is restarted by every event never ends: both starve
 * the screen. Here a run starts at most `intervalMs` after it was wanted, or when the one before it ends, so the
 * longest wait is the larger of the two. There is never more than one run under way and one remembered.
 */

export class Coalescer {
  private running = false
  private wanted = false
  private lastStart = Number.NEGATIVE_INFINITY
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly run: () => Promise<unknown>,
    private readonly intervalMs: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  request(): void {
    this.wanted = true
    this.pump()
  }

  dispose(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    this.wanted = false
  }

  private pump(): void {
    if (!this.wanted || this.running || this.timer !== undefined) return
    const wait = this.lastStart + this.intervalMs - this.now()
    if (wait <= 0) this.start()
    else this.timer = setTimeout(() => this.start(), wait)
  }

  private start(): void {
    this.timer = undefined
    this.wanted = false
    this.running = true
    this.lastStart = this.now()
    void this.run()
      .catch(() => undefined) // The query holds its own error; a failed run must not end the coalescing.
      .finally(() => {
        this.running = false
        this.pump()
      })
  }
}
