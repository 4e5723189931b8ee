/** The page: which project and person the address names, and what is shown of them. */

import { useEffect, useState } from 'react'

import { Board } from './components/Board'
import { HelpDialog } from './components/HelpDialog'
import { BoardError, BoardSkeleton } from './components/states'
import { ToastList } from './components/ToastList'
import { TopBar } from './components/TopBar'
import { useBoard, useProjects, type BoardView } from './queries'
import { useServices } from './services'
import type { Project } from './types'
import { useShortcut } from './useShortcut'
import { useLiveProject } from './useRealtimeUpdates'

export function App({ users }: { users: string[] }) {
  const { user } = useServices()
  const projects = useProjects()
  const [chosen, choose] = useProjectInAddress()
  const projectId = chosen ?? projects.data?.[0]?.id ?? ''
  const view = useBoard(projectId)
  useLiveProject(projectId)
  const [help, setHelp] = useState(false)
  useShortcut('?', () => setHelp(true))
  useEffect(() => {
    document.title = view.project ? `${view.project.name} · Board` : 'Board'
  }, [view.project])

  return (
    <div className="app">
      <TopBar
        projects={projects.data ?? []}
        projectId={projectId}
        project={view.project}
        user={user}
        users={users}
        dataAt={view.query.dataUpdatedAt}
        onProject={choose}
        onUser={becomeUser}
        onHelp={() => setHelp(true)}
      />
      {projectId === '' && projects.isError ? (
        <BoardError
          error={projects.error}
          onRetry={() => void projects.refetch()}
          busy={projects.isFetching}
        />
      ) : (
        <Content view={view} />
      )}
      {help && <HelpDialog onClose={() => setHelp(false)} />}
      <ToastList />
    </div>
  )
}

function Content({ view }: { view: BoardView }) {
  const { project, query } = view
  if (project)
    return <Board key={project.id} view={{ ...view, project } as BoardView & { project: Project }} />
  if (query.isError)
    return <BoardError error={query.error} onRetry={() => void query.refetch()} busy={query.isFetching} />
  return <BoardSkeleton />
}

/** `?project=` in the address, so that a window can be reloaded or sent to somebody. */
function useProjectInAddress(): [string | null, (id: string) => void] {
  const [chosen, setChosen] = useState(projectInAddress)
  useEffect(() => {
    const onBack = () => setChosen(projectInAddress())
    window.addEventListener('popstate', onBack)
    return () => window.removeEventListener('popstate', onBack)
  }, [])
  const choose = (id: string) => {
    const address = new URL(location.href)
    address.searchParams.set('project', id)
    history.pushState(null, '', address)
    setChosen(id)
  }
  return [chosen, choose]
}

function projectInAddress(): string | null {
  return new URLSearchParams(location.search).get('project')
}

/** Another person is another session: the page starts anew. */
function becomeUser(name: string): void {
  const address = new URL(location.href)
  address.searchParams.set('user', name)
  location.assign(address)
}
