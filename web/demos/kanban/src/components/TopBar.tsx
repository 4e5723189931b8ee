/** Which project, who is in it, who I am, and whether the board is live. */

import type { Project, ProjectName } from '../types'
import { Avatar } from './Avatar'
import { ConnectionIndicator } from './ConnectionIndicator'
import { ChevronIcon, HelpIcon, LogoIcon } from './icons'

interface Props {
  projects: ProjectName[]
  projectId: string
  project: Project | undefined
  user: string
  users: string[]
  dataAt: number
  onProject: (id: string) => void
  onUser: (name: string) => void
  onHelp: () => void
}

export function TopBar({
  projects,
  projectId,
  project,
  user,
  users,
  dataAt,
  onProject,
  onUser,
  onHelp,
}: Props) {
  return (
    <header className="top-bar">
      <LogoIcon />
      <h1 className="visually-hidden">{project?.name ?? 'Board'}</h1>
      <label className="switcher project-switcher">
        <span className="visually-hidden">Project</span>
        <select value={projectId} onChange={(event) => onProject(event.target.value)}>
          {!projects.some((one) => one.id === projectId) && (
            <option value={projectId}>{project?.name ?? '…'}</option>
          )}
          {projects.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}
            </option>
          ))}
        </select>
        <ChevronIcon />
      </label>
      <span className="spacer" />
      <ConnectionIndicator dataAt={dataAt} />
      {project && <Members names={project.members} />}
      <button
        type="button"
        className="icon-button help-button"
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
        onClick={onHelp}
      >
        <HelpIcon />
      </button>
      <label className="switcher user-switcher">
        <Avatar name={user} size="large" />
        <span className="visually-hidden">You are</span>
        <select value={user} onChange={(event) => onUser(event.target.value)}>
          {users.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <ChevronIcon />
      </label>
    </header>
  )
}

function Members({ names }: { names: string[] }) {
  return (
    <div className="members">
      <span className="visually-hidden">Members: {names.join(', ')}</span>
      {names.map((name) => (
        <Avatar key={name} name={name} />
      ))}
    </div>
  )
}
