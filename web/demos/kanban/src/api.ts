/** Requests to the back end. Every address is relative, so that the page works under any prefix. Keeps no state. */

import type {
  Config,
  EventData,
  NewStatus,
  NewTask,
  Project,
  ProjectName,
  Status,
  Task,
  TaskChanges,
} from './types'

/** A refusal as the back end tells it (problem details), or a network failure with status 0. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  constructor(
    /** The text of the requirement, such as `Failed to create task` (K10). */
    message: string,
    readonly status: number,
    readonly detail: string,
    readonly code: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }
}

export interface ApiOptions {
  /** The person this window acts as; two windows of one browser share their cookies but not this. */
  user?: () => string | undefined
  timeoutMs: number
  fetch?: typeof fetch
}

export interface Write {
  mutationId: string
}

interface Extra {
  body?: unknown
  write?: Write
  signal?: AbortSignal | undefined
  /** The request outlives the page: an announcement must not be lost because a window closes. */
  keepalive?: boolean
}

export class Api {
  constructor(private readonly options: ApiOptions) {}

  config(): Promise<Config> {
    return this.send<Config>('GET', 'api/config', 'Failed to load the board')
  }
  projects(signal?: AbortSignal): Promise<ProjectName[]> {
    return this.send<ProjectName[]>('GET', 'api/projects', 'Failed to load projects', { signal })
  }
  project(id: string, signal?: AbortSignal): Promise<Project> {
    return this.send<Project>('GET', `api/projects/${encodeURIComponent(id)}`, 'Failed to load project', {
      signal,
    })
  }
  createTask(projectId: string, data: NewTask, write: Write): Promise<Task> {
    return this.send<Task>('POST', 'api/tasks', 'Failed to create task', {
      body: { ...data, projectId },
      write,
    })
  }
  updateTask(id: string, body: TaskChanges, write: Write): Promise<Task> {
    return this.send<Task>('PATCH', `api/tasks/${id}`, 'Failed to update task', { body, write })
  }
  moveTask(id: string, body: { statusId: string; beforeId?: string | null }, write: Write): Promise<Task> {
    return this.send<Task>('PATCH', `api/tasks/${id}/move`, 'Failed to move task', { body, write })
  }
  deleteTask(id: string, write: Write): Promise<void> {
    return this.send<void>('DELETE', `api/tasks/${id}`, 'Failed to delete task', { write })
  }
  createStatus(projectId: string, data: NewStatus, write: Write): Promise<Status> {
    return this.send<Status>('POST', 'api/statuses', 'Failed to create status', {
      body: { ...data, projectId },
      write,
    })
  }
  updateStatus(id: string, body: { name: string }, write: Write): Promise<Status> {
    return this.send<Status>('PATCH', `api/statuses/${id}`, 'Failed to update status', { body, write })
  }
  deleteStatus(id: string, moveTo: string | null, write: Write): Promise<void> {
    const query = moveTo === null ? '' : `?moveTo=${encodeURIComponent(moveTo)}`
    return this.send<void>('DELETE', `api/statuses/${id}${query}`, 'Failed to delete status', { write })
  }
  trigger(body: { channel: string; event: string; data: EventData; projectId: string }): Promise<unknown> {
    return this.send('POST', 'api/pusher/trigger', 'Failed to broadcast event', { body, keepalive: true })
  }

  private async send<Answer>(
    method: string,
    path: string,
    failure: string,
    extra: Extra = {},
  ): Promise<Answer> {
    const response = await this.request(method, path, failure, extra)
    if (!response.ok) throw await refusal(response, failure)
    if (method === 'DELETE') return undefined as Answer
    return (await response.json()) as Answer
  }

  private async request(
    method: string,
    path: string,
    failure: string,
    { body, write, signal, keepalive = false }: Extra,
  ): Promise<Response> {
    const headers: Record<string, string> = { Accept: 'application/json' }
    const user = this.options.user?.()
    if (user) headers['X-Kanban-User'] = user
    if (write) headers['X-Mutation-Id'] = write.mutationId
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    const timeout = AbortSignal.timeout(this.options.timeoutMs)
    const init: RequestInit = {
      method,
      headers,
      keepalive,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    }
    if (body !== undefined) init.body = JSON.stringify(body)
    try {
      return await (this.options.fetch ?? fetch)(path, init)
    } catch (cause) {
      if (signal?.aborted) throw cause
      throw new ApiError(failure, 0, 'The server did not answer.', 'no_answer', { cause })
    }
  }
}

async function refusal(response: Response, failure: string): Promise<ApiError> {
  const problem = (await response.json().catch(() => ({}))) as {
    detail?: string
    fix?: string
    code?: string
  }
  const detail = [problem.detail, problem.fix].filter(Boolean).join(' ')
  return new ApiError(
    failure,
    response.status,
    detail || `The server answered ${response.status}.`,
    problem.code ?? '',
  )
}
