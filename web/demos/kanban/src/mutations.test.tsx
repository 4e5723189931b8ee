import { act, renderHook, waitFor } from '@testing-library/react'
import { describe, expect, test, vi } from 'vitest'

import { keys } from './keys'
import * as hooks from './mutations'
import { bench, gate, json, task, type Bench } from './test/fakes'
import { create, page, toasts, writes } from './test/page'

interface Row {
  name: string
  use: () => hooks.Mutation<never, unknown>
  input: unknown
  request: [method: string, path: string, body: unknown]
  texts: [success: string, failure: string]
  announced: [event: string, data: object]
}

const ROWS: Row[] = [
  {
    name: 'useCreateTask',
    use: create,
    input: { id: 't1', title: 'A', statusId: 's1' },
    request: ['POST', 'api/tasks', { id: 't1', title: 'A', statusId: 's1', projectId: 'p1' }],
    texts: ['Task created successfully', 'Failed to create task'],
    announced: ['task-created', { taskId: 't1', projectId: 'p1' }],
  },
  {
    name: 'useUpdateTask',
    use: () => hooks.useUpdateTask('t1', 'p1'),
    input: { title: 'B' },
    request: ['PATCH', 'api/tasks/t1', { title: 'B' }],
    texts: ['Task updated successfully', 'Failed to update task'],
    announced: ['task-updated', { taskId: 't1', projectId: 'p1' }],
  },
  {
    name: 'useDeleteTask',
    use: () => hooks.useDeleteTask('t1', 'p1'),
    input: undefined,
    request: ['DELETE', 'api/tasks/t1', undefined],
    texts: ['Task deleted successfully', 'Failed to delete task'],
    announced: ['task-deleted', { taskId: 't1', projectId: 'p1' }],
  },
  {
    name: 'useMoveTask',
    use: () => hooks.useMoveTask('p1'),
    input: { taskId: 't1', statusId: 's2' },
    request: ['PATCH', 'api/tasks/t1/move', { statusId: 's2' }],
    texts: ['Task moved', 'Failed to move task'],
    announced: ['task-moved', { taskId: 't1', newStatusId: 's2', projectId: 'p1' }],
  },
  {
    name: 'useCreateStatus',
    use: () => hooks.useCreateStatus('p1'),
    input: { id: 's9', name: 'New' },
    request: ['POST', 'api/statuses', { id: 's9', name: 'New', projectId: 'p1' }],
    texts: ['Status created successfully', 'Failed to create status'],
    announced: ['status-created', { statusId: 's9', projectId: 'p1' }],
  },
  {
    name: 'useUpdateStatus',
    use: () => hooks.useUpdateStatus('s1', 'p1'),
    input: { name: 'Named' },
    request: ['PATCH', 'api/statuses/s1', { name: 'Named' }],
    texts: ['Status updated successfully', 'Failed to update status'],
    announced: ['status-updated', { statusId: 's1', projectId: 'p1' }],
  },
  {
    name: 'useDeleteStatus',
    use: () => hooks.useDeleteStatus('s1', 'p1'),
    input: { moveTo: null },
    request: ['DELETE', 'api/statuses/s1', undefined],
    texts: ['Status deleted successfully', 'Failed to delete status'],
    announced: ['status-deleted', { statusId: 's1', projectId: 'p1' }],
  },
]

describe.each(ROWS)('$name', ({ use, input, request, texts, announced }) => {
  test('k09 k12 sends the request and says so', async () => {
    const one = await page(use)
    await act(() => one.result.current.write.mutateAsync(input as never))
    const { method, path, body, headers } = writes(one)[0]!
    expect([method, path, body]).toEqual(request)
    expect(headers['Content-Type']).toBe(body === undefined ? undefined : 'application/json')
    expect(headers['X-Mutation-Id']).toMatch(/^m-/)
    expect(toasts(one)).toEqual([texts[0]])
  })

  test('k10 a refusal raises its text and takes the change back', async () => {
    const one = await page(use)
    const before = one.result.current.board.project
    one.backEnd.answerWith = (call) => (call.method === 'GET' ? undefined : json({ detail: 'No.' }, 500))
    await act(async () => {
      await expect(one.result.current.write.mutateAsync(input as never)).rejects.toThrow(texts[1])
    })
    expect(toasts(one)).toEqual([texts[1]])
    expect(one.result.current.board.project).toEqual(before)
  })

  test('k08 k11 client-trigger: invalidate, toast, broadcast, in this order', async () => {
    const one = await page(use, bench({ emit: 'client-trigger' }))
    const order: string[] = []
    vi.spyOn(one.services.invalidator, 'invalidate').mockImplementation(() => void order.push('invalidate'))
    vi.spyOn(one.services.toasts, 'success').mockImplementation(() => void order.push('toast'))
    vi.spyOn(one.services.broadcasts, 'send').mockImplementation(async (_parts, project, event, data) => {
      order.push('broadcast')
      expect([project, event, data]).toEqual(['p1', ...announced])
    })
    await act(() => one.result.current.write.mutateAsync(input as never))
    expect([...new Set(order)]).toEqual(['invalidate', 'toast', 'broadcast'])
    expect(order.at(-1)).toBe('broadcast')
  })
})

test('k13 an update makes both the project and the task old', async () => {
  const one = await page(() => hooks.useUpdateTask('t1', 'p1'))
  const invalidate = vi.spyOn(one.services.invalidator, 'invalidate')
  await act(() => one.result.current.write.mutateAsync({ title: 'B' }))
  expect(invalidate.mock.calls.map(([key]) => key)).toEqual([keys.project('p1'), keys.task('t1')])
})

test('c09 in server mode the page announces nothing', async () => {
  const one = await page(create)
  await act(() => one.result.current.write.mutateAsync({ title: 'A', statusId: 's1' }))
  expect(writes(one).map(({ path }) => path)).toEqual(['api/tasks'])
})

describe('k19 optimistic create', () => {
  test('k19 k20 the task is there in the same tick, before the POST returns', async () => {
    const one = await page(create)
    const answer = gate<Response>()
    one.backEnd.answerWith = ({ method }) => (method === 'POST' ? answer.promise : undefined)
    act(() => one.result.current.write.mutate({ title: 'Soon', statusId: 's1' }))
    expect(one.titles()).toEqual(['Soon'])
    expect(one.result.current.board.saving.size).toBe(1)
    answer.open(json(task('x'), 201))
    await waitFor(() => expect(one.result.current.board.saving.size).toBe(0))
  })

  test('k19 it disappears on an error, and only it', async () => {
    const one = await page(create)
    const refusal = gate<Response>()
    one.backEnd.answerWith = ({ method }) => (method === 'POST' ? refusal.promise : undefined)
    act(() => one.result.current.write.mutate({ title: 'Never', statusId: 's1' }))
    one.backEnd.project = { ...one.backEnd.project, tasks: [task('theirs')] }
    act(() => one.pusher.say('p1', 'task-created', { taskId: 'theirs' }))
    await waitFor(() => expect(one.titles()).toEqual(['theirs', 'Never']))
    refusal.open(json({ detail: 'Broken.' }, 500))
    await waitFor(() => expect(one.titles()).toEqual(['theirs']))
  })

  test('k19 on success the project is read again and the task stays throughout', async () => {
    const one = await page(create)
    const seen: number[] = []
    one.backEnd.answerWith = ({ method, body }) => {
      if (method !== 'POST') return undefined
      const row = { ...task('t1'), ...(body as object) }
      one.backEnd.project = { ...one.backEnd.project, tasks: [row] }
      return json(row, 201)
    }
    act(() => one.result.current.write.mutate({ title: 'Stays', statusId: 's1' }))
    await waitFor(() => {
      seen.push(one.titles().length)
      expect(one.services.pending.snapshot()).toEqual([])
    })
    expect(new Set(seen)).toEqual(new Set([1]))
    expect(one.backEnd.reads()).toBe(2)
  })

  test('d05 two creates at once have two ids and both stay', async () => {
    const one = await page(create)
    act(() => {
      one.result.current.write.mutate({ title: 'One', statusId: 's1' })
      one.result.current.write.mutate({ title: 'Two', statusId: 's1' })
    })
    expect(one.titles()).toEqual(['One', 'Two'])
    await waitFor(() =>
      expect(new Set(writes(one).map(({ body }) => (body as { id: string }).id)).size).toBe(2),
    )
  })

  test('d05 a project that is not read yet does not break it', async () => {
    const parts = bench()
    const { result } = renderHook(create, { wrapper: parts.wrapper })
    await act(() => result.current.mutateAsync({ title: 'Early', statusId: 's1' }))
    expect(toasts(parts)).toEqual(['Task created successfully'])
  })

  test('trying again sends the same mutation id, so that nothing is made twice', async () => {
    const one = await page(create)
    one.backEnd.answerWith = ({ method }) =>
      method === 'POST' ? Promise.reject(new TypeError('cut')) : undefined
    await act(() =>
      one.result.current.write.mutateAsync({ title: 'Again', statusId: 's1' }).catch(() => undefined),
    )
    one.backEnd.answerWith = undefined
    await act(async () => one.services.toasts.snapshot()[0]?.action?.run())
    await waitFor(() => expect(toasts(one)).toContain('Task created successfully'))
    const posts = writes(one).map(({ headers, body }) => [
      headers['X-Mutation-Id'],
      (body as { id: string }).id,
    ])
    expect(posts).toHaveLength(2)
    expect(posts[0]).toEqual(posts[1])
  })
})

/** Longer than the coalescer keeps a second fetch back. */
const COALESCED_MS = 1_000

function own(one: Bench) {
  const [write] = writes(one)
  return { taskId: (write!.body as { id: string }).id, projectId: 'p1' }
}

describe('d06 the own event', () => {
  test('d06 c03 answer, then event: one fetch', async () => {
    const one = await page(create)
    await act(() => one.result.current.write.mutateAsync({ title: 'A', statusId: 's1' }))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    act(() => one.pusher.say('p1', 'task-created', own(one)))
    await act(() => vi.advanceTimersByTimeAsync(COALESCED_MS))
    expect(one.backEnd.reads()).toBe(2)
  })

  test('d06 c03 event, then answer: one fetch', async () => {
    const one = await page(create)
    const answer = gate<Response>()
    one.backEnd.answerWith = ({ method }) => (method === 'POST' ? answer.promise : undefined)
    act(() => one.result.current.write.mutate({ title: 'A', statusId: 's1' }))
    await waitFor(() => expect(writes(one)).toHaveLength(1))
    act(() => one.pusher.say('p1', 'task-created', own(one)))
    expect(one.backEnd.reads()).toBe(1)
    answer.open(json(task('x'), 201))
    await waitFor(() => expect(one.backEnd.reads()).toBe(2))
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await act(() => vi.advanceTimersByTimeAsync(COALESCED_MS))
    expect(one.backEnd.reads()).toBe(2)
  })

  test('c03 event, but the answer is lost: the board is read all the same', async () => {
    const one = await page(create)
    const answer = gate<Response>()
    one.backEnd.answerWith = ({ method }) => (method === 'POST' ? answer.promise : undefined)
    act(() => one.result.current.write.mutate({ title: 'A', statusId: 's1' }))
    await waitFor(() => expect(writes(one)).toHaveLength(1))
    act(() => one.pusher.say('p1', 'task-created', own(one)))
    answer.open(json({}, 502))
    await waitFor(() => expect(one.backEnd.reads()).toBe(2))
  })
})

test('writes of one task go one after the other', async () => {
  const one = await page(() => hooks.useUpdateTask('t1', 'p1'))
  const first = gate<Response>()
  one.backEnd.answerWith = ({ method }) =>
    method === 'PATCH' && writes(one).length === 1 ? first.promise : undefined
  act(() => {
    one.result.current.write.mutate({ title: 'B' })
    one.result.current.write.mutate({ title: 'C' })
  })
  await waitFor(() => expect(writes(one)).toHaveLength(1))
  first.open(json(task('t1', { version: 2 })))
  await waitFor(() => expect(writes(one).map(({ body }) => body)).toEqual([{ title: 'B' }, { title: 'C' }]))
})
