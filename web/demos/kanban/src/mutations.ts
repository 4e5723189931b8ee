/** Writing: seven hooks after one pattern. Each change shows at once, is sent once, and is announced after it is saved. */

import { ApiError } from './api'
import { newId } from './ids'
import { keys } from './keys'
import type { Change } from './optimistic'
import { useServices, type Services } from './services'
import type { EventData, EventName, NewStatus, NewTask, Status, Task, TaskChanges } from './types'

interface Saved {
  id: string
  version: number
}

interface Plan<Input, Result> {
  projectId: string
  successText: string
  /** K10: what the error says. */
  errorText: string
  /** The row that is written; writes of one row go one after the other. */
  entity(input: Input): string
  /** How its event may be called when it comes back. */
  events: readonly EventName[]
  overlay(input: Input, services: Services, mutationId: string): Change | undefined
  send(input: Input, services: Services, mutationId: string): Promise<Result>
  announce(input: Input, result: Result): [EventName, EventData]
  /** K13: further keys that this change makes old. */
  alsoOld?(input: Input): readonly (readonly unknown[])[]
  undo?(input: Input): (() => void) | undefined
}

interface Attempt<Input> {
  input: Input
  mutationId: string
}

export interface Mutation<Input, Result> {
  /** Fire and show: a failure ends in a toast. */
  mutate(input: Input): void
  /** The same, for callers that wait; rejects with ApiError. */
  mutateAsync(input: Input): Promise<Result>
}

function useBoardMutation<Input, Result extends Saved | void>(
  plan: Plan<Input, Result>,
): Mutation<Input, Result> {
  const services = useServices()
  const mutateAsync = (input: Input) => run(services, plan, { input, mutationId: newId('m-') })
  return { mutateAsync, mutate: (input) => void mutateAsync(input).catch(() => undefined) }
}

function run<Input, Result extends Saved | void>(
  services: Services,
  plan: Plan<Input, Result>,
  attempt: Attempt<Input>,
): Promise<Result> {
  const entity = plan.entity(attempt.input)
  const mutation = services.client
    .getMutationCache()
    .build<Result, Error, Attempt<Input>, void>(services.client, {
      mutationKey: ['kanban', plan.projectId],
      scope: { id: entity },
      onMutate: () => begin(services, plan, attempt, entity),
      mutationFn: ({ input, mutationId }) => plan.send(input, services, mutationId),
      onSuccess: (result) => succeed(services, plan, attempt, result),
      onError: (error) => fail(services, plan, attempt, error),
    })
  return mutation.execute(attempt)
}

function begin<Input, Result>(
  services: Services,
  plan: Plan<Input, Result>,
  { input, mutationId }: Attempt<Input>,
  entity: string,
): void {
  services.logger.debug({ step: 'Mutation', correlation: mutationId })
  const change = plan.overlay(input, services, mutationId)
  if (change) services.pending.add({ id: mutationId, projectId: plan.projectId, change, madeAt: Date.now() })
  if (services.settings.confirm !== 'event') services.echoes.expect(mutationId, plan.events, entity)
}

/** K11: invalidate, then the toast, then the broadcast. */
function succeed<Input, Result extends Saved | void>(
  services: Services,
  plan: Plan<Input, Result>,
  { input, mutationId }: Attempt<Input>,
  result: Result,
): void {
  services.pending.answer(mutationId, result?.version)
  services.echoes.answered(mutationId)
  if (services.settings.confirm !== 'event') invalidate(services, plan, input, mutationId)
  const undo = plan.undo?.(input)
  services.toasts.success(plan.successText, undo ? { action: { label: 'Undo', run: undo } } : {})
  if (services.settings.emit === 'client-trigger') {
    const [event, data] = plan.announce(input, result)
    const channel = services.realtime.channelName(plan.projectId)
    void services.broadcasts.send(services, plan.projectId, event, data, { channel, correlation: mutationId })
  }
}

function fail<Input, Result extends Saved | void>(
  services: Services,
  plan: Plan<Input, Result>,
  attempt: Attempt<Input>,
  error: Error,
): void {
  services.pending.remove(attempt.mutationId)
  const committed = services.echoes.failed(attempt.mutationId)
  const known = error instanceof ApiError ? error : undefined
  if (committed || known?.status === 0) invalidate(services, plan, attempt.input, attempt.mutationId)
  const again = () => void run(services, plan, attempt).catch(() => undefined)
  const mayRetry = known === undefined || known.status === 0 || known.status >= 500
  services.toasts.error(plan.errorText, {
    ...(known ? { detail: known.detail } : {}),
    ...(mayRetry ? { action: { label: 'Try again', run: again } } : {}),
  })
}

function invalidate<Input, Result>(
  { invalidator }: Services,
  plan: Plan<Input, Result>,
  input: Input,
  correlation: string,
): void {
  invalidator.invalidate(keys.project(plan.projectId), { correlation })
  for (const key of plan.alsoOld?.(input) ?? []) invalidator.invalidate(key, { correlation, optional: true })
}

export type CreateTask = Omit<NewTask, 'id'> & { id: string }

export function useCreateTask(projectId: string): Mutation<NewTask, Task> {
  const inner = useBoardMutation<CreateTask, Task>({
    projectId,
    successText: 'Task created successfully',
    errorText: 'Failed to create task',
    events: ['task-created'],
    entity: (input) => input.id,
    overlay: (input, { user }, mutationId) => ({
      kind: 'create-task',
      beforeId: input.beforeId ?? null,
      task: draftTask(projectId, input, user, mutationId),
    }),
    send: (input, { api }, mutationId) => api.createTask(projectId, input, { mutationId }),
    announce: (_input, task) => ['task-created', { taskId: task.id, projectId }],
  })
  return withId(inner, 't-')
}

function withId<Input extends { id?: string }, Result>(
  inner: Mutation<Input & { id: string }, Result>,
  prefix: string,
): Mutation<Input, Result> {
  const named = (input: Input) => ({ ...input, id: input.id ?? newId(prefix) })
  return {
    mutate: (input) => inner.mutate(named(input)),
    mutateAsync: (input) => inner.mutateAsync(named(input)),
  }
}

function draftTask(projectId: string, input: CreateTask, user: string, mutationId: string): Task {
  const { beforeId: _place, ...fields } = input
  return {
    description: '',
    priority: 'none',
    label: '',
    assignee: null,
    ...fields,
    projectId,
    position: null,
    version: 0,
    updatedBy: user,
    updatedAt: new Date().toISOString(),
    mutationId,
  }
}

export function useUpdateTask(taskId: string, projectId: string): Mutation<TaskChanges, Task> {
  return useBoardMutation<TaskChanges, Task>({
    projectId,
    successText: 'Task updated successfully',
    errorText: 'Failed to update task',
    events: ['task-updated'],
    entity: () => taskId,
    overlay: (changes) => ({ kind: 'update-task', taskId, changes }),
    send: (changes, { api }, mutationId) => api.updateTask(taskId, changes, { mutationId }),
    announce: () => ['task-updated', { taskId, projectId }],
    alsoOld: () => [keys.task(taskId)],
  })
}

export function useDeleteTask(taskId: string, projectId: string, undo?: () => void): Mutation<void, void> {
  return useBoardMutation<void, void>({
    projectId,
    successText: 'Task deleted successfully',
    errorText: 'Failed to delete task',
    events: ['task-deleted'],
    entity: () => taskId,
    overlay: () => ({ kind: 'delete-task', taskId }),
    send: (_input, { api }, mutationId) => api.deleteTask(taskId, { mutationId }),
    announce: () => ['task-deleted', { taskId, projectId }],
    undo: () => undo,
  })
}

export interface MoveInput {
  taskId: string
  statusId: string
  beforeId?: string | null
}

export function useMoveTask(projectId: string): Mutation<MoveInput, Task> {
  return useBoardMutation<MoveInput, Task>({
    projectId,
    successText: 'Task moved',
    errorText: 'Failed to move task',
    // Within one column only the position changes, and the server's rules call that an update.
    events: ['task-moved', 'task-updated'],
    entity: (input) => input.taskId,
    overlay: ({ taskId, statusId, beforeId }) => ({
      kind: 'move-task',
      taskId,
      statusId,
      beforeId: beforeId ?? null,
    }),
    send: ({ taskId, ...place }, { api }, mutationId) => api.moveTask(taskId, place, { mutationId }),
    announce: (_input, task) => ['task-moved', { taskId: task.id, newStatusId: task.statusId, projectId }],
  })
}

export function useCreateStatus(projectId: string): Mutation<NewStatus, Status> {
  const inner = useBoardMutation<NewStatus & { id: string }, Status>({
    projectId,
    successText: 'Status created successfully',
    errorText: 'Failed to create status',
    events: ['status-created'],
    entity: (input) => input.id,
    overlay: (input, { user }, mutationId) => ({
      kind: 'create-status',
      status: {
        ...input,
        projectId,
        position: null,
        version: 0,
        updatedBy: user,
        updatedAt: new Date().toISOString(),
        mutationId,
      },
    }),
    send: (input, { api }, mutationId) => api.createStatus(projectId, input, { mutationId }),
    announce: (_input, status) => ['status-created', { statusId: status.id, projectId }],
  })
  return withId(inner, 's-')
}

export function useUpdateStatus(statusId: string, projectId: string): Mutation<{ name: string }, Status> {
  return useBoardMutation<{ name: string }, Status>({
    projectId,
    successText: 'Status updated successfully',
    errorText: 'Failed to update status',
    events: ['status-updated'],
    entity: () => statusId,
    overlay: ({ name }) => ({ kind: 'update-status', statusId, name }),
    send: (body, { api }, mutationId) => api.updateStatus(statusId, body, { mutationId }),
    announce: () => ['status-updated', { statusId, projectId }],
  })
}

/** `moveTo`: the column that takes the tasks; a column that still has tasks is refused without one. */
export function useDeleteStatus(
  statusId: string,
  projectId: string,
): Mutation<{ moveTo: string | null }, void> {
  return useBoardMutation<{ moveTo: string | null }, void>({
    projectId,
    successText: 'Status deleted successfully',
    errorText: 'Failed to delete status',
    events: ['status-deleted'],
    entity: () => statusId,
    overlay: ({ moveTo }) => ({ kind: 'delete-status', statusId, moveTo }),
    send: ({ moveTo }, { api }, mutationId) => api.deleteStatus(statusId, moveTo, { mutationId }),
    announce: () => ['status-deleted', { statusId, projectId }],
  })
}
