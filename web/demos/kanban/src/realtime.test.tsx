import { act, renderHook, waitFor } from '@testing-library/react'
import { StrictMode } from 'react'
import { expect, test, vi } from 'vitest'

import { useProject } from './queries'
import { readIds } from './realtime'
import { bench } from './test/fakes'
import { EVENTS } from './types'
import { useLiveProject, useRealtimeUpdates, type OnUpdate } from './useRealtimeUpdates'

function listen(
  { wrapper }: ReturnType<typeof bench>,
  projectId: string,
  onUpdate: OnUpdate = vi.fn<OnUpdate>(),
) {
  const hook = renderHook(({ id, handler }) => useRealtimeUpdates(id, handler), {
    wrapper,
    initialProps: { id: projectId, handler: onUpdate },
  })
  return { ...hook, onUpdate }
}

test('k14 an empty project id does nothing', () => {
  const page = bench()
  listen(page, '')
  expect(page.pusher.calls).toEqual([])
})

test('k07 k14 one channel, seven events, one handler', () => {
  const page = bench()
  const { onUpdate } = listen(page, 'p1')
  for (const event of EVENTS) page.pusher.say('p1', event, { taskId: 't1' })
  expect(page.pusher.calls).toEqual(['subscribe project-p1'])
  expect(vi.mocked(onUpdate).mock.calls.map(([, event]) => event)).toEqual([...EVENTS])
})

test('k03 k08 only ids are read, and a missing project id is tolerated', () => {
  expect(readIds({ taskId: 't1', title: 'a whole row', projectId: 'p1' })).toEqual({
    taskId: 't1',
    projectId: 'p1',
  })
  expect(readIds({ taskId: 't1' })).toEqual({ taskId: 't1' })
  expect(readIds({ taskId: 7, newStatusId: 's1' })).toEqual({ taskId: '7', newStatusId: 's1' })
  for (const nonsense of [undefined, null, 'text', { taskId: {} }]) expect(readIds(nonsense)).toEqual({})
})

test('k16 cleanup unbinds and unsubscribes', () => {
  const page = bench()
  const { unmount } = listen(page, 'p1')
  const channel = page.pusher.channels.get('project-p1')
  unmount()
  expect(channel?.bound).toBe(0)
  expect(page.pusher.calls).toEqual(['subscribe project-p1', 'unsubscribe project-p1'])
})

test('k16 another project moves the subscription', () => {
  const page = bench()
  const { rerender, onUpdate } = listen(page, 'p1')
  rerender({ id: 'p2', handler: onUpdate })
  expect([...page.pusher.channels.keys()]).toEqual(['project-p2'])
})

test('k16 1000 mounts and unmounts leave nothing', () => {
  const page = bench()
  for (let round = 0; round < 1_000; round++) listen(page, `p${round % 3}`).unmount()
  expect(page.services.realtime.subscriptions).toBe(0)
  expect(page.pusher.channels.size).toBe(0)
})

test('k17 one event, one call for each hook, one subscription on the wire', () => {
  const page = bench()
  const hooks = [1, 2, 3].map(() => listen(page, 'p1'))
  page.pusher.say('p1', 'task-created', { taskId: 't1' })
  for (const { onUpdate } of hooks) expect(onUpdate).toHaveBeenCalledTimes(1)
  expect(page.pusher.calls).toEqual(['subscribe project-p1'])
})

test('k17 renders do not subscribe again, and the latest handler is called', () => {
  const page = bench()
  const { rerender, onUpdate } = listen(page, 'p1')
  const latest = vi.fn<OnUpdate>()
  for (let render = 0; render < 10; render++) rerender({ id: 'p1', handler: latest })
  page.pusher.say('p1', 'task-created', { taskId: 't1' })
  expect(page.pusher.calls).toEqual(['subscribe project-p1'])
  expect(onUpdate).not.toHaveBeenCalled()
  expect(latest).toHaveBeenCalledTimes(1)
})

test('k17 effects that run twice still mean one call', () => {
  const page = bench()
  const onUpdate = vi.fn<OnUpdate>()
  const wrapper = ({ children }: { children: React.ReactNode }) => (
    <StrictMode>{page.wrapper({ children })}</StrictMode>
  )
  renderHook(() => useRealtimeUpdates('p1', onUpdate), { wrapper })
  page.pusher.say('p1', 'task-created', { taskId: 't1' })
  expect(onUpdate).toHaveBeenCalledTimes(1)
})

test('test_d10_sibling_hook_survives_unsubscribe', () => {
  const page = bench()
  const [leaving, staying] = [listen(page, 'p1'), listen(page, 'p1')]
  leaving.unmount()
  page.pusher.say('p1', 'task-deleted', { taskId: 't1' })
  expect(staying.onUpdate).toHaveBeenCalledTimes(1)
  expect(leaving.onUpdate).not.toHaveBeenCalled()
  expect(page.pusher.calls).toEqual(['subscribe project-p1'])
})

test('k15 a refused subscription is logged and told once, with the status', () => {
  const page = bench()
  listen(page, 'p1')
  listen(page, 'p1')
  page.pusher.say('p1', 'pusher:subscription_error', { type: 'AuthError', status: 403 })
  expect(page.logger.errors).toEqual(['Subscription error:'])
  const [toast, ...more] = page.services.toasts.snapshot()
  expect(toast).toMatchObject({
    kind: 'error',
    text: 'Failed to connect to real-time updates. Please refresh.',
  })
  expect(toast?.detail).toContain('403')
  expect(more).toEqual([])
})

test('test_d01_recovery_fires_on_reconnect', async () => {
  const page = bench({ coalesceMs: 0 })
  const { result } = renderHook(() => useProject('p1'), { wrapper: page.wrapper })
  await waitFor(() => expect(result.current.isSuccess).toBe(true))
  renderHook(() => useLiveProject('p1'), { wrapper: page.wrapper })
  act(() => page.pusher.say('p1', 'pusher:subscription_succeeded'))
  await waitFor(() => expect(page.backEnd.reads()).toBe(2)) // Read before it stood: once more.
  for (let drop = 1; drop <= 3; drop++) {
    act(() => page.pusher.say('p1', 'pusher:subscription_succeeded'))
    await waitFor(() => expect(page.backEnd.reads()).toBe(2 + drop))
  }
  expect(page.logger.trail.filter(({ correlation }) => correlation === 'recovery')).toHaveLength(3)
})

test('d01 nothing is recovered on the first connection of a page that has read nothing', () => {
  const page = bench()
  renderHook(() => useLiveProject('p1'), { wrapper: page.wrapper })
  page.pusher.say('p1', 'pusher:subscription_succeeded')
  expect(page.logger.trail).toEqual([])
})

test('k18 an event makes the board read again', async () => {
  const page = bench()
  const { result } = renderHook(
    () => {
      useLiveProject('p1')
      return useProject('p1')
    },
    { wrapper: page.wrapper },
  )
  await waitFor(() => expect(result.current.isSuccess).toBe(true))
  page.backEnd.project = { ...page.backEnd.project, name: 'Changed' }
  act(() => page.pusher.say('p1', 'status-updated', { statusId: 's1', projectId: 'p1' }))
  await waitFor(() => expect(result.current.data?.name).toBe('Changed'))
})

test('k26 received and invalidating share one correlation id', async () => {
  const page = bench()
  renderHook(
    () => {
      useLiveProject('p1')
      return useProject('p1')
    },
    { wrapper: page.wrapper },
  )
  act(() => page.pusher.say('p1', 'task-created', { taskId: 't9' }))
  const steps = page.logger.trail.map(({ step }) => step)
  expect(steps).toEqual([
    'Received event:',
    'Received update:',
    'Invalidating queries',
    'Invalidating queries',
  ])
  expect(new Set(page.logger.trail.map(({ correlation }) => correlation)).size).toBe(1)
})

test('c02 polling only while the socket is not connected', async () => {
  vi.useFakeTimers()
  const page = bench({ pollMs: 5_000 })
  const stop = page.services.connection.start()
  renderHook(() => useProject('p1'), { wrapper: page.wrapper })
  act(() => ['connecting', 'connected'].forEach((state) => page.pusher.become(state)))
  await act(() => vi.advanceTimersByTimeAsync(20_000))
  expect(page.backEnd.reads()).toBe(1)
  act(() => page.pusher.become('connecting'))
  await act(() => vi.advanceTimersByTimeAsync(10_500))
  expect(page.backEnd.reads()).toBe(3)
  act(() => page.pusher.become('connected'))
  await act(() => vi.advanceTimersByTimeAsync(20_000))
  expect(page.backEnd.reads()).toBe(3)
  stop()
})
