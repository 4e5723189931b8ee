/** The listener hook (K14 to K18) and the board's handler for what it hears. Opens no connection of its own. */

import { useCallback, useEffect, useLayoutEffect, useRef } from 'react'

import { keys } from './keys'
import { useServices, type Services } from './services'
import type { EventData, EventName } from './types'

export type OnUpdate = (data: EventData, event: EventName) => void

/** Calls the latest `onUpdate` for each of the seven events of a project; does nothing while `projectId` is empty. */
export function useRealtimeUpdates(projectId: string, onUpdate: OnUpdate): void {
  const { realtime } = useServices()
  const latest = useRef(onUpdate)
  useLayoutEffect(() => {
    latest.current = onUpdate
  })
  useEffect(() => {
    if (projectId === '') return undefined
    return realtime.join(projectId, (event, data) => latest.current(data, event))
  }, [realtime, projectId])
}

/** Keep a project's query true: somebody's change makes it old, the page's own one already did. */
export function useLiveProject(projectId: string): void {
  const services = useServices()
  const onUpdate = useCallback<OnUpdate>(
    (data, event) => receive(services, projectId, event, data),
    [services, projectId],
  )
  useRealtimeUpdates(projectId, onUpdate)
}

let arrivals = 0

export function receive(
  { echoes, invalidator, logger, settings }: Services,
  projectId: string,
  event: EventName,
  data: EventData,
): void {
  const own = settings.confirm === 'event' ? undefined : echoes.match(event, data)
  const correlation = own ?? `e-${++arrivals}`
  logger.debug({ step: 'Received event:', correlation, event, data })
  logger.debug({ step: 'Received update:', correlation, data })
  if (own !== undefined) return // D6: the answer makes the page fetch, or already did.
  invalidator.invalidate(keys.project(projectId), { correlation })
  if (data.taskId !== undefined)
    invalidator.invalidate(keys.task(data.taskId), { correlation, optional: true })
}
