/** The query keys, in one place: a key that invalidates must be the key that reads (K22). */

export const keys = {
  allProjects: ['project-list'] as const,
  project: (id: string) => ['projects', id] as const,
  task: (id: string) => ['tasks', id] as const,
}
