/** What the page is made of, wired once and handed down by context. Renders nothing. */

import { QueryClient } from '@tanstack/react-query'
import { createContext, useContext } from 'react'

import type { Api } from './api'
import { BroadcastLine } from './broadcast'
import { ConnectionMonitor } from './connection'
import { Echoes } from './echoes'
import { Invalidator } from './invalidator'
import { PendingStore } from './pending'
import type { PusherLike } from './pusherLike'
import { keys } from './keys'
import { Realtime, type RealtimeCallbacks } from './realtime'
import type { Settings } from './settings'
import { Toasts } from './toasts'
import type { Logger } from './trail'
import type { Project } from './types'

export interface Services {
  api: Api
  broadcasts: BroadcastLine
  client: QueryClient
  connection: ConnectionMonitor
  echoes: Echoes
  invalidator: Invalidator
  logger: Logger
  pending: PendingStore
  realtime: Realtime
  settings: Settings
  toasts: Toasts
  user: string
}

export interface Parts {
  api: Api
  pusher: PusherLike
  settings: Settings
  logger: Logger
  user: string
  channelPrefix?: string
  client?: QueryClient
}

const REFUSED_TEXT = 'Failed to connect to real-time updates. Please refresh.'

export function createServices({
  api,
  pusher,
  settings,
  logger,
  user,
  channelPrefix = '',
  client,
}: Parts): Services {
  const queryClient = client ?? createQueryClient(settings)
  const pending = new PendingStore()
  const toasts = new Toasts()
  const echoes = new Echoes(settings.echoMs)
  const invalidator = new Invalidator(queryClient, settings.coalesceMs, logger)
  const recover = recovery(queryClient, invalidator, echoes)
  const realtime = new Realtime(
    pusher,
    logger,
    {
      onSubscribed: recover,
      onSubscriptionError: (_project, error) => toasts.error(REFUSED_TEXT, statusOf(error)),
    },
    channelPrefix,
  )
  settleOnRead(queryClient, pending)
  const connection = new ConnectionMonitor(pusher)
  readFailedAgain(queryClient, connection)
  const broadcasts = new BroadcastLine()
  return {
    api,
    broadcasts,
    client: queryClient,
    connection,
    echoes,
    invalidator,
    logger,
    pending,
    realtime,
    settings,
    toasts,
    user,
  }
}

function statusOf(error: { status?: number }): { detail?: string } {
  return error.status === undefined ? {} : { detail: `The server answered ${error.status}.` }
}

/**
 * What may have been missed is read again: after every return of a subscription (D1, C5), and after the first one
 * when the board was read before it stood, for a change between the two would never be told.
 */
function recovery(
  client: QueryClient,
  invalidator: Invalidator,
  echoes: Echoes,
): RealtimeCallbacks['onSubscribed'] {
  return (projectId, again) => {
    if (again) echoes.forget()
    const query = client.getQueryCache().find({ queryKey: keys.project(projectId) })
    const readBefore =
      query !== undefined && (query.state.data !== undefined || query.state.fetchStatus === 'fetching')
    if (again || readBefore) {
      invalidator.invalidate(keys.project(projectId), {
        correlation: again ? 'recovery' : 'first-join',
        optional: true,
      })
    }
  }
}

/** A read that failed for good while the server was away is begun anew once the connection stands. */
function readFailedAgain(client: QueryClient, connection: ConnectionMonitor): void {
  let before = connection.snapshot().state
  connection.subscribe(() => {
    const { state } = connection.snapshot()
    const stands = state === 'connected' && before !== 'connected'
    before = state
    if (stands) void client.refetchQueries({ predicate: (query) => query.state.status === 'error' })
  })
}

function settleOnRead(client: QueryClient, pending: PendingStore): void {
  client.getQueryCache().subscribe((event) => {
    if (event.type !== 'updated' || event.action.type !== 'success') return
    const [root, projectId] = event.query.queryKey
    if (root === 'projects' && typeof projectId === 'string') {
      pending.fetchEnded(projectId, event.query.state.data as Project)
    }
  })
}

function createQueryClient(settings: Settings): QueryClient {
  return new QueryClient({
    defaultOptions: { queries: { staleTime: settings.staleTime, retry: 2, retryDelay: (n) => 400 * 2 ** n } },
  })
}

const ServicesContext = createContext<Services | null>(null)
export const ServicesProvider = ServicesContext.Provider

export function useServices(): Services {
  const services = useContext(ServicesContext)
  if (!services) throw new Error('There are no services above this component.')
  return services
}
