import { act, waitFor } from '@testing-library/react'
import { describe, expect, test } from 'vitest'

import { broadcastTaskEvent } from './broadcast'
import { bench, gate, json } from './test/fakes'
import { create, page, toasts } from './test/page'

describe('k04 k05 the broadcast helper', () => {
  const data = { taskId: 't1', projectId: 'p1' }

  test('k04 posts channel, event, data and project', async () => {
    const { services, backEnd } = bench()
    await broadcastTaskEvent(services, 'p1', 'task-created', data)
    expect(backEnd.calls[0]).toMatchObject({
      method: 'POST',
      path: 'api/pusher/trigger',
      body: { channel: 'project-p1', event: 'task-created', data, projectId: 'p1' },
    })
  })

  const failures: [string, () => Response | Promise<Response>][] = [
    ['HTTP 500', () => json({}, 500)],
    ['HTTP 403, which the sample code overlooked (D15)', () => json({}, 403)],
    ['network error', () => Promise.reject(new TypeError('Failed to fetch'))],
    ['timeout', () => Promise.reject(new DOMException('late', 'TimeoutError'))],
  ]
  test.each(failures)('k05 %s: the mutation succeeds, one log line', async (_name, fail) => {
    const one = await page(create, bench({ emit: 'client-trigger' }))
    one.backEnd.answerWith = ({ path }) => (path.endsWith('trigger') ? fail() : undefined)
    await act(() => one.result.current.write.mutateAsync({ title: 'A', statusId: 's1' }))
    await waitFor(() => expect(one.logger.errors).toEqual(['Failed to broadcast event:']))
    expect(toasts(one)).toEqual(['Task created successfully'])
  })

  test('test_d14_broadcasts_are_kept_and_ordered', async () => {
    const { services, backEnd } = bench()
    const first = gate<Response>()
    backEnd.answerWith = () => (backEnd.calls.length === 1 ? first.promise : undefined)
    void services.broadcasts.send(services, 'p1', 'task-created', data)
    const last = services.broadcasts.send(services, 'p1', 'task-deleted', data)
    await waitFor(() => expect(backEnd.calls).toHaveLength(1))
    first.open(json({}, 500))
    await last
    expect(backEnd.calls.map(({ body }) => (body as { event: string }).event)).toEqual([
      'task-created',
      'task-deleted',
    ])
  })

  test('k26 mutation, invalidating, broadcasting and the own event carry one id', async () => {
    const one = await page(create, bench({ emit: 'client-trigger' }))
    one.logger.trail.length = 0
    await act(() => one.result.current.write.mutateAsync({ id: 't1', title: 'A', statusId: 's1' }))
    await waitFor(() => expect(one.logger.trail.map(({ step }) => step)).toContain('Broadcasting event:'))
    act(() => one.pusher.say('p1', 'task-created', { taskId: 't1', projectId: 'p1' }))
    const steps = one.logger.trail.map(({ step }) => step)
    expect(steps).toEqual([
      'Mutation',
      'Invalidating queries',
      'Broadcasting event:',
      'Received event:',
      'Received update:',
    ])
    expect(new Set(one.logger.trail.map(({ correlation }) => correlation)).size).toBe(1)
  })
})
