import { beforeEach, describe, expect, test, vi } from 'vitest'

import { Coalescer } from './coalescer'

/** A run that takes `ms`; counts starts and remembers what it saw. */
function slowRun(ms: number, read: () => number) {
  const seen: number[] = []
  const run = async () => {
    const value = read()
    await new Promise((resolve) => setTimeout(resolve, ms))
    seen.push(value)
  }
  return { run: vi.fn<() => Promise<void>>(run), seen }
}

describe('k24 bursts', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })

  test('k24 the first request runs at once', () => {
    const run = vi.fn<() => Promise<void>>(async () => undefined)
    new Coalescer(run, 300, () => Date.now()).request()
    expect(run).toHaveBeenCalledTimes(1)
  })

  test('k24 50 events in 300 ms make at most 2 fetches, and the last state is shown', async () => {
    let state = 0
    const { run, seen } = slowRun(20, () => state)
    const coalescer = new Coalescer(run, 300, () => Date.now())
    for (let event = 1; event <= 50; event++) {
      state = event
      coalescer.request()
      await vi.advanceTimersByTimeAsync(6)
    }
    await vi.advanceTimersByTimeAsync(1_000)
    expect(run).toHaveBeenCalledTimes(2)
    expect(seen.at(-1)).toBe(50)
  })

  test('k24 a maximum wait is honoured: endless events never starve the screen', async () => {
    let state = 0
    const { run, seen } = slowRun(100, () => state)
    const coalescer = new Coalescer(run, 300, () => Date.now())
    for (let at = 0; at < 3_000; at += 40) {
      state = at
      coalescer.request()
      await vi.advanceTimersByTimeAsync(40)
    }
    expect(seen.length).toBeGreaterThanOrEqual(9)
    expect(run.mock.calls.length).toBeLessThanOrEqual(11)
  })

  test('k24 never two at a time, and one remembered', async () => {
    const { run } = slowRun(1_000, () => 0)
    const coalescer = new Coalescer(run, 300, () => Date.now())
    for (let event = 0; event < 20; event++) coalescer.request()
    await vi.advanceTimersByTimeAsync(999)
    expect(run).toHaveBeenCalledTimes(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(run).toHaveBeenCalledTimes(2)
    await vi.advanceTimersByTimeAsync(5_000)
    expect(run).toHaveBeenCalledTimes(2)
  })

  test('a failed run does not end the coalescing', async () => {
    const run = vi.fn<() => Promise<void>>(() => Promise.reject(new Error('no answer')))
    const coalescer = new Coalescer(run, 300, () => Date.now())
    coalescer.request()
    await vi.advanceTimersByTimeAsync(400)
    coalescer.request()
    expect(run).toHaveBeenCalledTimes(2)
  })

  test('d16 nothing runs after dispose', async () => {
    const run = vi.fn<() => Promise<void>>(async () => undefined)
    const coalescer = new Coalescer(run, 300, () => Date.now())
    coalescer.request()
    await vi.advanceTimersByTimeAsync(10)
    coalescer.request()
    coalescer.dispose()
    await vi.advanceTimersByTimeAsync(1_000)
    expect(run).toHaveBeenCalledTimes(1)
  })
})
