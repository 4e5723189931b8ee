import { afterEach, expect, test, vi } from 'vitest'

import { AWAKE, listenForWake, WAKE } from './wake'

let stop: () => void = () => undefined
afterEach(() => stop())

function framed() {
  const parent = { postMessage: vi.fn<(data: unknown, origin: string) => void>() }
  const view = Object.assign(new EventTarget(), {
    parent,
    location: { protocol: 'http:', hostname: '127.0.0.1' },
  })
  const wake = vi.fn<() => void>()
  stop = listenForWake(wake, view as unknown as Window)
  const say = (data: unknown, origin: string, source: unknown = parent) =>
    view.dispatchEvent(Object.assign(new Event('message'), { data, origin, source }))
  return { say, wake, parent }
}

test('the parent on another port of the same host wakes the page, and is answered', () => {
  const { say, wake, parent } = framed()
  say(WAKE, 'http://127.0.0.1:8000')
  expect(wake).toHaveBeenCalledTimes(1)
  expect(parent.postMessage).toHaveBeenCalledWith(AWAKE, 'http://127.0.0.1:8000')
})

test.each([
  ['another host', WAKE, 'http://evil.example:8000'],
  ['another scheme', WAKE, 'https://127.0.0.1:8000'],
  ['no origin', WAKE, 'null'],
  ['another word', 'hello', 'http://127.0.0.1:8000'],
])('%s does not', (_name, data, origin) => {
  const { say, wake, parent } = framed()
  say(data, origin)
  expect(wake).not.toHaveBeenCalled()
  expect(parent.postMessage).not.toHaveBeenCalled()
})

test('a window that is not the parent does not, and nobody does after the end', () => {
  const { say, wake } = framed()
  say(WAKE, 'http://127.0.0.1:8000', {})
  stop()
  say(WAKE, 'http://127.0.0.1:8000')
  expect(wake).not.toHaveBeenCalled()
})
