import { afterEach, beforeEach, expect, test, vi } from 'vitest'

import { show } from './components/ConnectionIndicator'
import { ConnectionMonitor } from './connection'
import {
  INITIAL,
  next,
  retryDelay,
  TRANSITIONS,
  type Connection,
  type ConnectionEvent,
} from './connectionMachine'
import { FakePusher } from './test/fakes'

const LIMITS = { blipMs: 1_500, oldAfterMs: 15_000 }
let stop: () => void = () => undefined

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => stop())

function monitored() {
  const pusher = new FakePusher()
  const monitor = new ConnectionMonitor(pusher, { random: () => 1 })
  stop = monitor.start()
  return { pusher, monitor }
}

function after(...events: ConnectionEvent[]): Connection {
  return events.reduce((connection, event) => next(connection, event, 1_000), INITIAL)
}

test('c07 pusher-js states end in the states of the page', () => {
  expect(after('connecting').state).toBe('connecting')
  expect(after('connecting', 'connected').state).toBe('connected')
  expect(after('connecting', 'connected', 'connecting').state).toBe('reconnecting')
  expect(after('connecting', 'connected', 'connecting', 'unavailable').state).toBe('waiting')
  expect(after('connecting', 'disconnected').state).toBe('refused')
  expect(after('connecting', 'connected', 'offline', 'online').state).toBe('reconnecting')
})

test('c07 a pair that the table does not have changes nothing', () => {
  for (const state of Object.keys(TRANSITIONS) as (keyof typeof TRANSITIONS)[]) {
    const connection = { ...INITIAL, state }
    for (const event of ['connecting', 'connected', 'unavailable', 'failed', 'retry', 'online'] as const) {
      const expected = TRANSITIONS[state][event] ?? state
      expect(next(connection, event, 0).state).toBe(expected)
    }
  }
})

test('d01 being connected once is remembered through every state in between', () => {
  expect(after('connecting', 'connected', 'connecting', 'unavailable', 'retry').wasConnected).toBe(true)
  expect(after('connecting', 'unavailable', 'retry').wasConnected).toBe(false)
})

test('d17 retries are spread, grow, and end at half a minute', () => {
  expect([0, 1, 2, 9].map((attempt) => retryDelay(attempt, 1))).toEqual([2_000, 4_000, 8_000, 30_000])
  expect(retryDelay(2, 0)).toBe(4_000)
})

test('c08 unavailable: pusher-js is stopped, the page waits, then tries again, longer each time', () => {
  const { pusher, monitor } = monitored()
  for (const state of ['connecting', 'connected', 'connecting', 'unavailable']) pusher.become(state)
  expect(monitor.snapshot()).toMatchObject({ state: 'waiting', nextAt: Date.now() + 2_000 })
  expect(pusher.calls).toEqual(['disconnect'])
  vi.advanceTimersByTime(2_000)
  expect(pusher.calls).toEqual(['disconnect', 'connect'])
  pusher.become('unavailable')
  expect(monitor.snapshot().nextAt).toBe(Date.now() + 4_000)
})

test('c08 retry now does not wait, and does nothing while connected', () => {
  const { pusher, monitor } = monitored()
  for (const state of ['connecting', 'unavailable']) pusher.become(state)
  monitor.retryNow()
  expect(monitor.snapshot().state).toBe('reconnecting')
  pusher.become('connected')
  const calls = pusher.calls.length
  monitor.retryNow()
  vi.advanceTimersByTime(60_000)
  expect(pusher.calls.length).toBe(calls)
})

test('d16 no retry after the monitor has stopped', () => {
  const { pusher } = monitored()
  for (const state of ['connecting', 'unavailable']) pusher.become(state)
  stop()
  vi.advanceTimersByTime(60_000)
  expect(pusher.calls).toEqual(['disconnect'])
  expect(pusher.connection.bound).toBe(0)
})

test('d16 coming back online wakes the connection at once', () => {
  const { pusher, monitor } = monitored()
  for (const state of ['connecting', 'connected']) pusher.become(state)
  window.dispatchEvent(new Event('offline'))
  expect(monitor.snapshot().state).toBe('offline')
  window.dispatchEvent(new Event('online'))
  expect(monitor.snapshot().state).toBe('connected')
})

test.each([
  ['online', () => window.dispatchEvent(new Event('online'))],
  ['visibilitychange', () => document.dispatchEvent(new Event('visibilitychange'))],
])('d16 %s ends the wait for the next try', (_name, happen) => {
  const { pusher, monitor } = monitored()
  for (const state of ['connecting', 'unavailable']) pusher.become(state)
  happen()
  expect(monitor.snapshot().state).toBe('reconnecting')
  expect(pusher.calls).toEqual(['disconnect', 'connect'])
  vi.advanceTimersByTime(60_000)
  expect(pusher.calls).toEqual(['disconnect', 'connect'])
})

test('a wake begins an attempt that hangs anew, and leaves a connection alone', () => {
  const { pusher, monitor } = monitored()
  for (const state of ['connecting', 'connected', 'connecting']) pusher.become(state)
  monitor.wake()
  expect(pusher.calls).toEqual(['disconnect', 'connect'])
  expect(monitor.snapshot().state).toBe('reconnecting')
  pusher.become('connected')
  monitor.wake()
  expect(pusher.calls).toEqual(['disconnect', 'connect'])
})

test('a plain close is seen from the first second on', () => {
  const { pusher, monitor } = monitored()
  for (const state of ['connecting', 'connected']) pusher.become(state)
  pusher.connection.emit('connecting_in', 1)
  expect(monitor.snapshot().state).toBe('reconnecting')
})

test('the indicator is silent for a blip, then says what happens', () => {
  const dropped = next(after('connecting', 'connected'), 'connecting', 10_000)
  expect(show(dropped, 11_000, 10_000, LIMITS).text).toBe('Connected')
  expect(show(dropped, 11_600, 10_000, LIMITS).text).toBe('Reconnecting…')
})

test('the indicator counts down and offers to retry', () => {
  const waiting: Connection = {
    state: 'waiting',
    attempt: 1,
    nextAt: 14_200,
    downSince: 5_000,
    wasConnected: true,
  }
  expect(show(waiting, 10_300, 9_000, LIMITS)).toMatchObject({
    text: 'Reconnecting',
    seconds: 4,
    retry: true,
  })
})

test('rows that were read long ago are called old while there is no connection', () => {
  const down: Connection = { state: 'offline', attempt: 0, downSince: 1_000, wasConnected: true }
  const waiting: Connection = { ...down, state: 'waiting', nextAt: 43_000 }
  expect(show(down, 30_000, 10_000, LIMITS).text).toBe('Data may be old · offline')
  expect(show(waiting, 30_000, 10_000, LIMITS)).toMatchObject({
    text: 'Data may be old · retrying',
    seconds: 13,
  })
  expect(show({ ...down, state: 'reconnecting' }, 30_000, 10_000, LIMITS).text).toBe(
    'Data may be old · reconnecting…',
  )
  expect(show(down, 30_000, 29_000, LIMITS).text).toBe('Offline')
  expect(show({ ...down, state: 'connected' }, 90_000, 1, LIMITS).text).toBe('Connected')
})

test('a first connection is not called a reconnection', () => {
  expect(show(after('connecting'), 1_000, 0, LIMITS).text).toBe('Connecting…')
  expect(show(after('connecting', 'disconnected'), 1_000, 0, LIMITS)).toMatchObject({
    text: 'Live updates are off',
    retry: true,
  })
})
