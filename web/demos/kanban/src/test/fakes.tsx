/** Stand-ins for the two things outside the page: pusher-js and the back end. Both are driven by the test. */

import { QueryClientProvider } from '@tanstack/react-query'
import type { ReactNode } from 'react'

import { Api } from '../api'
import type { Handler, PusherLike } from '../pusherLike'
import { createServices, ServicesProvider, type Services } from '../services'
import { DEFAULTS, type Settings } from '../settings'
import type { Logger, TrailEntry } from '../trail'
import type { EventData, EventName, Project, Status, Task } from '../types'

export class Emitter {
  private readonly handlers = new Map<string, Set<Handler>>()

  bind(event: string, handler: Handler): void {
    this.handlers.set(event, (this.handlers.get(event) ?? new Set()).add(handler))
  }
  unbind(event: string, handler: Handler): void {
    this.handlers.get(event)?.delete(handler)
  }
  emit(event: string, data?: unknown): void {
    for (const handler of this.handlers.get(event) ?? []) handler(data)
  }
  get bound(): number {
    return [...this.handlers.values()].reduce((sum, all) => sum + all.size, 0)
  }
}

export class FakePusher implements PusherLike {
  readonly channels = new Map<string, Emitter>()
  readonly calls: string[] = []
  readonly connection = Object.assign(new Emitter(), { state: 'initialized' })

  subscribe(channel: string): Emitter {
    this.calls.push(`subscribe ${channel}`)
    const made = this.channels.get(channel) ?? new Emitter()
    this.channels.set(channel, made)
    return made
  }
  unsubscribe(channel: string): void {
    this.calls.push(`unsubscribe ${channel}`)
    this.channels.delete(channel)
  }
  connect(): void {
    this.calls.push('connect')
    this.become('connecting')
  }
  disconnect(): void {
    this.calls.push('disconnect')
    this.become('disconnected')
  }
  become(state: string): void {
    this.connection.state = state
    this.connection.emit(state)
  }
  /** The server says something on a project's channel. */
  say(projectId: string, event: EventName | `pusher:${string}`, data: EventData | object = {}): void {
    this.channels.get(`project-${projectId}`)?.emit(event, data)
  }
}

export class SpyLogger implements Logger {
  readonly trail: TrailEntry[] = []
  readonly warnings: string[] = []
  readonly errors: string[] = []
  debug(entry: TrailEntry): void {
    this.trail.push(entry)
  }
  warn(message: string): void {
    this.warnings.push(message)
  }
  error(message: string): void {
    this.errors.push(message)
  }
}

interface Call {
  method: string
  path: string
  body: unknown
  headers: Record<string, string>
}

type Answer = Response | Promise<Response>

/** A back end of one project: rows live in `project`; `answerWith` stands in the way of the next request. */
export class FakeBackEnd {
  readonly calls: Call[] = []
  project: Project = emptyProject()
  answerWith: ((call: Call) => Answer | undefined) | undefined

  readonly fetch = async (path: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const call: Call = {
      method: init.method ?? 'GET',
      path: String(path),
      body: init.body === undefined ? undefined : JSON.parse(String(init.body)),
      headers: init.headers as Record<string, string>,
    }
    this.calls.push(call)
    return (await this.answerWith?.(call)) ?? this.answer(call)
  }

  reads(): number {
    return this.calls.filter(({ method, path }) => method === 'GET' && path.startsWith('api/projects/'))
      .length
  }

  private answer({ method, path, body }: Call): Response {
    if (method === 'GET') return json(path.startsWith('api/projects/') ? this.project : [])
    if (method === 'DELETE') return new Response(null, { status: 204 })
    const id = path.split('/')[2]
    const row = { ...task(id ?? 'new'), ...(body as object), version: 2 }
    return json(row, method === 'POST' ? 201 : 200)
  }
}

export function json(value: unknown, code = 200): Response {
  return new Response(JSON.stringify(value), {
    status: code,
    headers: { 'Content-Type': 'application/json' },
  })
}

export function emptyProject(): Project {
  return { id: 'p1', name: 'One', members: ['Ada'], statuses: [status('s1'), status('s2', 'a1')], tasks: [] }
}

export function task(id: string, changes: Partial<Task> = {}): Task {
  return {
    id,
    projectId: 'p1',
    statusId: 's1',
    title: id,
    description: '',
    priority: 'none',
    label: '',
    assignee: null,
    position: 'a0',
    version: 1,
    updatedBy: 'Grace',
    updatedAt: '2026-01-01T00:00:00.000Z',
    mutationId: null,
    ...changes,
  }
}

export function status(id: string, position = 'a0'): Status {
  const { projectId, version, updatedBy, updatedAt, mutationId } = task(id)
  return { id, projectId, version, updatedBy, updatedAt, mutationId, name: id, position }
}

export interface Bench {
  pusher: FakePusher
  backEnd: FakeBackEnd
  logger: SpyLogger
  services: Services
  wrapper: (props: { children: ReactNode }) => ReactNode
}

/** The whole page without its looks. */
export function bench(changes: Partial<Settings> = {}): Bench {
  const pusher = new FakePusher()
  const backEnd = new FakeBackEnd()
  const logger = new SpyLogger()
  const settings = { ...DEFAULTS, ...changes }
  const api = new Api({ timeoutMs: settings.requestTimeoutMs, fetch: backEnd.fetch, user: () => 'Ada' })
  const services = createServices({ api, pusher, settings, logger, user: 'Ada' })
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={services.client}>
      <ServicesProvider value={services}>{children}</ServicesProvider>
    </QueryClientProvider>
  )
  return { pusher, backEnd, logger, services, wrapper }
}

/** A promise that the test settles. */
export function gate<Value>() {
  let open!: (value: Value) => void
  const promise = new Promise<Value>((resolve) => {
    open = resolve
  })
  return { promise, open }
}
