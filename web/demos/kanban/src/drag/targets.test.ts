import { describe, expect, test } from 'vitest'

import { task } from '../test/fakes'
import {
  beforeAt,
  describe as describePlace,
  placeOf,
  stepTarget,
  type ColumnView,
  type Step,
  type Target,
} from './targets'

const column = (statusId: string, ...ids: string[]): ColumnView => ({
  statusId,
  name: statusId,
  tasks: ids.map((id) => task(id, { statusId })),
})
const COLUMNS = [column('s1', 'a', 'b', 'c'), column('s2'), column('s3', 'd')]
const at = (statusId: string, beforeId: string | null): Target => ({ statusId, beforeId })

test('a card knows its place by the card after it', () => {
  expect(placeOf(COLUMNS, 'b')).toEqual(at('s1', 'c'))
  expect(placeOf(COLUMNS, 'c')).toEqual(at('s1', null))
  expect(placeOf(COLUMNS, 'none')).toBeUndefined()
})

test('the pointer lands before the first card whose middle lies below it', () => {
  const boxes = [
    { id: 'a', top: 0, height: 40 },
    { id: 'b', top: 48, height: 40 },
  ]
  expect([10, 30, 60, 80].map((y) => beforeAt(boxes, y))).toEqual(['a', 'b', 'b', null])
})

describe('one key at a time', () => {
  const cases: [Step, Target, Target][] = [
    ['ArrowDown', at('s1', 'b'), at('s1', 'c')],
    ['ArrowDown', at('s1', null), at('s1', null)],
    ['ArrowUp', at('s1', 'b'), at('s1', 'b')],
    ['ArrowUp', at('s1', null), at('s1', 'c')],
    ['ArrowRight', at('s1', 'c'), at('s2', null)],
    ['ArrowRight', at('s3', 'd'), at('s3', 'd')],
    ['ArrowLeft', at('s1', 'b'), at('s1', 'b')],
    ['Home', at('s1', null), at('s1', 'b')],
    ['End', at('s1', 'b'), at('s1', null)],
  ]
  test.each(cases)('%s from %o', (step, from, to) => {
    expect(stepTarget(COLUMNS, 'a', from, step)).toEqual(to)
  })
})

test('what is announced counts the card itself', () => {
  expect(describePlace(COLUMNS, 'a', at('s3', null))).toEqual({ column: 's3', position: 2, of: 2 })
  expect(describePlace(COLUMNS, 'a', at('s1', 'b'))).toEqual({ column: 's1', position: 1, of: 3 })
})
