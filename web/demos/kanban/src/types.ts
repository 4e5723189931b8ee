/** The rows as the back end answers them, and the names of the seven events. Holds no behaviour. */

export const PRIORITIES = ['none', 'low', 'medium', 'high', 'urgent'] as const
export type Priority = (typeof PRIORITIES)[number]

interface Row {
  id: string
  projectId: string
  /** Fractional index; null for a row written by hand, which stands at the end. */
  position: string | null
  version: number
  updatedBy: string
  updatedAt: string
  /** The client's id of the write that made this version; null when it did not come through a page. */
  mutationId: string | null
}

export interface Task extends Row {
  statusId: string
  title: string
  description: string
  priority: Priority
  label: string
  assignee: string | null
}

export interface Status extends Row {
  name: string
}

export interface Project {
  id: string
  name: string
  members: string[]
  statuses: Status[]
  tasks: Task[]
}

export interface ProjectName {
  id: string
  name: string
}

export type TaskFields = Pick<Task, 'title' | 'description' | 'priority' | 'label' | 'assignee'>
export type TaskChanges = Partial<TaskFields>

export interface NewTask extends Partial<TaskFields> {
  id?: string
  title: string
  statusId: string
  beforeId?: string | null
}

export interface NewStatus {
  id?: string
  name: string
}

export interface Config {
  key: string
  wsHost: string | null
  wsPort: number | null
  wsPath: string
  forceTLS: boolean | null
  channelPrefix: string
  resume: boolean
  emit: 'server' | 'client-trigger'
  user: string
  users: string[]
}

export const EVENTS = [
  'task-created',
  'task-updated',
  'task-deleted',
  'task-moved',
  'status-created',
  'status-updated',
  'status-deleted',
] as const
export type EventName = (typeof EVENTS)[number]

/** Ids only; the optimistic create of older senders leaves out even `projectId` (K8). */
export interface EventData {
  taskId?: string
  statusId?: string
  newStatusId?: string
  projectId?: string
}
