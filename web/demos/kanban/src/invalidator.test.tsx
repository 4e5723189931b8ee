import { act, renderHook, waitFor } from '@testing-library/react'
import { afterEach, expect, test, vi } from 'vitest'

import { keys } from './keys'
import { useBoard, useProject, useProjects } from './queries'
import { bench, gate, json } from './test/fakes'

let cleanUp: () => void = () => undefined
afterEach(() => cleanUp())

const context = { correlation: 'c' }

test('k22 the key that invalidates is the key that reads', async () => {
  const { services, wrapper, backEnd, logger } = bench()
  const { result } = renderHook(() => useProject('p1'), { wrapper })
  await waitFor(() => expect(result.current.isSuccess).toBe(true))
  act(() => services.invalidator.invalidate(keys.project('p1'), context))
  await waitFor(() => expect(backEnd.reads()).toBe(2))
  expect(logger.warnings).toEqual([])
})

test('k22 a key that matches no query is warned about', () => {
  const { services, logger } = bench()
  services.invalidator.invalidate(['project', 'p1'], context)
  expect(logger.warnings).toEqual(['invalidate matched 0 queries'])
})

test('k22 a prefix matches every key below it', async () => {
  const { services, wrapper, backEnd } = bench()
  const { result } = renderHook(() => useProject('p1'), { wrapper })
  await waitFor(() => expect(result.current.isSuccess).toBe(true))
  act(() => services.invalidator.invalidate(['projects'], context))
  await waitFor(() => expect(backEnd.reads()).toBe(2))
})

test('k23 several invalidations in one tick make one fetch a query', async () => {
  const { services, wrapper, backEnd } = bench()
  const { result } = renderHook(() => useProject('p1'), { wrapper })
  await waitFor(() => expect(result.current.isSuccess).toBe(true))
  vi.useFakeTimers()
  await act(async () => {
    services.invalidator.invalidate(keys.project('p1'), context)
    services.invalidator.invalidate(['projects'], context)
    await vi.advanceTimersByTimeAsync(250)
  })
  expect(backEnd.reads()).toBe(2)
})

test('k25 fresh rows are not read again by a second reader, and an invalidation still wins', async () => {
  const { services, wrapper, backEnd } = bench()
  const first = renderHook(() => useProject('p1'), { wrapper })
  await waitFor(() => expect(first.result.current.isSuccess).toBe(true))
  renderHook(() => useBoard('p1'), { wrapper })
  expect(backEnd.reads()).toBe(1)
  act(() => services.invalidator.invalidate(keys.project('p1'), context))
  await waitFor(() => expect(backEnd.reads()).toBe(2))
})

test('k24 a read that began before the change is followed by another one', async () => {
  const { services, wrapper, backEnd } = bench()
  const slow = gate<Response>()
  backEnd.answerWith = () => (backEnd.reads() === 1 ? slow.promise : undefined)
  const { result } = renderHook(() => useProject('p1'), { wrapper })
  await waitFor(() => expect(backEnd.reads()).toBe(1))
  act(() => services.invalidator.invalidate(keys.project('p1'), context))
  backEnd.project = { ...backEnd.project, name: 'After' }
  slow.open(json({ ...backEnd.project, name: 'Before' }))
  await waitFor(() => expect(result.current.data?.name).toBe('After'))
})

test('a read that failed while the server was away is begun anew when the connection stands', async () => {
  const { services, wrapper, backEnd, pusher } = bench()
  services.client.setDefaultOptions({ queries: { retry: false } })
  cleanUp = services.connection.start()
  backEnd.answerWith = () => json({}, 502)
  const { result } = renderHook(() => useProjects(), { wrapper })
  await waitFor(() => expect(result.current.isError).toBe(true))
  backEnd.answerWith = undefined
  act(() => ['connecting', 'connected'].forEach((state) => pusher.become(state)))
  await waitFor(() => expect(result.current.isSuccess).toBe(true))
})
