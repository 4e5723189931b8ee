import { expect, test } from 'vitest'

import { confirmedBy, fold, inOrder, type Change, type Operation } from './optimistic'
import { PendingStore } from './pending'
import { emptyProject, status, task } from './test/fakes'
import type { Project } from './types'

function operation(change: Change, id = 'm1'): Operation {
  return { id, projectId: 'p1', change, madeAt: 0 }
}
const create = (id: string, beforeId: string | null = null) =>
  operation({ kind: 'create-task', task: task(id), beforeId }, `m-${id}`)
const board = (...ids: string[]): Project => ({
  ...emptyProject(),
  tasks: ids.map((id, at) => task(id, { position: `a${at}` })),
})
const order = (project: Project, statusId = 's1') =>
  inOrder(project.tasks.filter((one) => one.statusId === statusId)).map((one) => one.id)

test('test_d05_two_creates_do_not_collide', () => {
  const shown = fold(board('a'), [create('b'), create('c')])
  expect(order(shown)).toEqual(['a', 'b', 'c'])
})

test('d05 taking one change back leaves what others did meanwhile', () => {
  const pending = new PendingStore()
  pending.add(create('mine'))
  const base = board('a', 'theirs')
  pending.remove('m-mine')
  expect(order(fold(base, pending.snapshot()))).toEqual(['a', 'theirs'])
})

test('d04 a refetch without the new row keeps it on screen until the answer is read', () => {
  const pending = new PendingStore()
  pending.add(create('mine'))
  pending.fetchStarted('p1')
  pending.answer('m-mine', 1)
  pending.fetchEnded('p1', board('a'))
  expect(order(fold(board('a'), pending.snapshot()))).toEqual(['a', 'mine'])
})

test('a read that began after the answer is the truth, even when the row is gone again', () => {
  const pending = new PendingStore()
  pending.add(create('mine'))
  pending.answer('m-mine', 1)
  pending.fetchStarted('p1')
  pending.fetchEnded('p1', board('a'))
  expect(pending.snapshot()).toEqual([])
})

test('a row that the server tells already is not shown twice', () => {
  expect(order(fold(board('a', 'b'), [create('b')]))).toEqual(['a', 'b'])
})

test('k19 a move shows at its place and in its column', () => {
  const base = { ...board('a', 'b', 'c') }
  const shown = fold(base, [operation({ kind: 'move-task', taskId: 'c', statusId: 's1', beforeId: 'b' })])
  expect(order(shown)).toEqual(['a', 'c', 'b'])
  const away = fold(base, [operation({ kind: 'move-task', taskId: 'a', statusId: 's2', beforeId: null })])
  expect([order(away), order(away, 's2')]).toEqual([['b', 'c'], ['a']])
})

test('k19 update, delete and the three of a status', () => {
  const all: Operation[] = [
    operation({ kind: 'update-task', taskId: 'a', changes: { title: 'New' } }),
    operation({ kind: 'delete-task', taskId: 'b' }),
    operation({ kind: 'create-status', status: status('s3', 'a2') }),
    operation({ kind: 'update-status', statusId: 's2', name: 'Named' }),
    operation({ kind: 'delete-status', statusId: 's1', moveTo: 's2' }),
  ]
  const shown = fold(board('a', 'b'), all)
  expect(shown.tasks.map(({ title, statusId }) => [title, statusId])).toEqual([['New', 's2']])
  expect(shown.statuses.map(({ name }) => name)).toEqual(['Named', 's3'])
})

test('an update of a task that somebody deleted does nothing', () => {
  const shown = fold(board(), [operation({ kind: 'update-task', taskId: 'gone', changes: { title: 'x' } })])
  expect(shown.tasks).toEqual([])
})

test('a newer version wins over a change that is answered', () => {
  const change = operation({ kind: 'update-task', taskId: 'a', changes: { title: 'Mine' } })
  const answered = { ...change, answered: { version: 2, tick: 1 } }
  const base = { ...board(), tasks: [task('a', { title: 'Theirs', version: 3 })] }
  expect(confirmedBy(base, answered)).toBe(true)
  expect(fold(base, [answered]).tasks[0]?.title).toBe('Theirs')
})

test('with nothing pending the base itself is shown', () => {
  const base = board('a')
  expect(fold(base, [])).toBe(base)
})

test('rows without a position stand at the end, ties keep their order', () => {
  const rows = [
    { id: 'x', position: null },
    { id: 'b', position: 'a0' },
    { id: 'c', position: 'a0' },
  ]
  expect(inOrder(rows).map(({ id }) => id)).toEqual(['b', 'c', 'x'])
})
