import { expect, test } from 'vitest'

import { Echoes } from './echoes'

const CREATED = ['task-created'] as const

test('test_d06_sender_does_not_apply_own_event_twice', () => {
  const echoes = new Echoes(10_000)
  echoes.expect('m1', CREATED, 't1')
  expect(echoes.match('task-created', { taskId: 't1' })).toBe('m1')
  expect(echoes.match('task-created', { taskId: 't1' })).toBeUndefined()
})

test("d06 somebody else's event about the same task counts when both have come", () => {
  const echoes = new Echoes(10_000)
  echoes.expect('m1', ['task-updated'], 't1')
  const heard = [1, 2].map(() => echoes.match('task-updated', { taskId: 't1' }))
  expect(heard).toEqual(['m1', undefined])
})

test('d06 other tasks and other events are not own', () => {
  const echoes = new Echoes(10_000)
  echoes.expect('m1', CREATED, 't1')
  expect(echoes.match('task-created', { taskId: 't2' })).toBeUndefined()
  expect(echoes.match('task-deleted', { taskId: 't1' })).toBeUndefined()
})

test('c03 an own event that stays away is not waited for longer than the limit', () => {
  let now = 0
  const echoes = new Echoes(10_000, () => now)
  echoes.expect('m1', CREATED, 't1')
  echoes.answered('m1')
  now = 10_001
  expect(echoes.match('task-created', { taskId: 't1' })).toBeUndefined()
})

test('c03 a write whose answer was lost is known to be saved by its event', () => {
  const echoes = new Echoes(10_000)
  echoes.expect('m1', CREATED, 't1')
  echoes.match('task-created', { taskId: 't1' })
  expect(echoes.failed('m1')).toBe(true)
})

test('c05 after a lost connection nothing is expected', () => {
  const echoes = new Echoes(10_000)
  echoes.expect('m1', CREATED, 't1')
  echoes.forget()
  expect(echoes.match('task-created', { taskId: 't1' })).toBeUndefined()
})
