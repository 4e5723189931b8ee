/** Reading: the board as the server tells it, with own unconfirmed changes folded over it. Changes nothing. */

import { useQuery, type UseQueryResult } from '@tanstack/react-query'
import { useMemo, useSyncExternalStore } from 'react'

import { ApiError } from './api'
import { keys } from './keys'
import { fold, touched } from './optimistic'
import { useServices, type Services } from './services'
import type { Project, ProjectName } from './types'

export function useProjects(): UseQueryResult<ProjectName[]> {
  const { api } = useServices()
  return useQuery({ queryKey: keys.allProjects, queryFn: ({ signal }) => api.projects(signal) })
}

export function useProject(projectId: string): UseQueryResult<Project> {
  const services = useServices()
  const polling = usePollInterval()
  return useQuery({
    queryKey: keys.project(projectId),
    queryFn: ({ signal }) => readProject(services, projectId, signal),
    enabled: projectId !== '',
    refetchInterval: polling,
    retry: (count, error) =>
      count < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
  })
}

function readProject({ api, pending }: Services, projectId: string, signal: AbortSignal): Promise<Project> {
  pending.fetchStarted(projectId)
  return api.project(projectId, signal)
}

export interface BoardView {
  project: Project | undefined
  /** Rows with a change that is not answered yet. */
  saving: ReadonlySet<string>
  query: UseQueryResult<Project>
}

/** What people see of a project. */
export function useBoard(projectId: string): BoardView {
  const { pending } = useServices()
  const query = useProject(projectId)
  const operations = useSyncExternalStore(pending.subscribe, pending.snapshot)
  const project = useMemo(() => query.data && fold(query.data, operations), [query.data, operations])
  const saving = useMemo(() => new Set(operations.filter((one) => !one.answered).map(touched)), [operations])
  return { project, saving, query }
}

/** C2: polling is the fallback while the socket is not there. */
function usePollInterval(): number | false {
  const { connection, settings } = useServices()
  const { state } = useSyncExternalStore(connection.subscribe, connection.snapshot)
  if (settings.poll === 'never') return false
  const down = state !== 'connected' && state !== 'idle' && state !== 'connecting'
  return settings.poll === 'always' || down ? settings.pollMs : false
}
