import { expect, test } from 'vitest'

import { emptyProject, task } from './test/fakes'
import { changedByOthers } from './useNews'

const board = (...tasks: ReturnType<typeof task>[]) => ({ ...emptyProject(), tasks })
const own = (id: string | null) => id === 'mine'

test("somebody else's new and changed cards are news", () => {
  const last = board(task('a'))
  const now = board(
    task('a', { title: 'New', version: 2, mutationId: 'theirs' }),
    task('b', { mutationId: 'theirs' }),
  )
  expect(changedByOthers(last, now, own)).toEqual([
    { id: 'a', by: 'Grace' },
    { id: 'b', by: 'Grace' },
  ])
})

test('own changes are not', () => {
  const now = board(task('a', { title: 'New', mutationId: 'mine' }))
  expect(changedByOthers(board(task('a')), now, own)).toEqual([])
})

test('a change made beside the board is, and nobody is named', () => {
  const last = board(task('a', { mutationId: 'mine' }))
  const now = board(task('a', { mutationId: 'mine', title: 'By hand' }))
  expect(changedByOthers(last, now, own)).toEqual([{ id: 'a', by: '' }])
})

test('equal rows that only moved in the list are not', () => {
  const [a, b] = [task('a'), task('b')]
  expect(changedByOthers(board(a, b), board({ ...b }, { ...a }), own)).toEqual([])
})
