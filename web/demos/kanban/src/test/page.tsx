/** A page that shows the board, listens and writes, without its looks; shared by the tests of writing. */

import { renderHook, waitFor } from '@testing-library/react'
import { expect } from 'vitest'

import * as hooks from '../mutations'
import { useBoard } from '../queries'
import { useLiveProject } from '../useRealtimeUpdates'
import { bench, type Bench } from './fakes'

export async function page<Hook>(useHook: () => Hook, parts: Bench = bench()) {
  const hook = renderHook(
    () => {
      useLiveProject('p1')
      return { board: useBoard('p1'), write: useHook() }
    },
    { wrapper: parts.wrapper },
  )
  await waitFor(() => expect(hook.result.current.board.project).toBeDefined())
  const titles = () => hook.result.current.board.project?.tasks.map(({ title }) => title) ?? []
  return { ...parts, ...hook, titles }
}

export const create = () => hooks.useCreateTask('p1')
export const toasts = ({ services }: Bench) => services.toasts.snapshot().map(({ text }) => text)
export const writes = ({ backEnd }: Bench) => backEnd.calls.filter(({ method }) => method !== 'GET')
