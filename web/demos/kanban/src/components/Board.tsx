/** The columns side by side, and everything that moves between them. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react'
import { createPortal } from 'react-dom'

import { DragController, type Lifted } from '../drag/controller'
import { focusCard } from '../drag/dom'
import { FlipBoundary } from '../drag/FlipBoundary'
import { columnsOf, type ColumnView, type Target } from '../drag/targets'
import { useCreateStatus, useMoveTask } from '../mutations'
import type { BoardView } from '../queries'
import type { Project } from '../types'
import { useNews } from '../useNews'
import { useShortcut } from '../useShortcut'
import { CardCopy } from './Card'
import { Column } from './Column'
import { DeleteColumnDialog } from './DeleteColumnDialog'
import { PlusIcon } from './icons'
import { NameForm } from './NameForm'
import { BoardEmpty } from './states'
import { TaskDialog } from './TaskDialog'

interface Props {
  view: BoardView & { project: Project }
}

export function Board({ view }: Props) {
  const { project, saving, query } = view
  const columns = useMemo(() => columnsOf(project), [project])
  const news = useNews(query.data)
  const [openTask, setOpenTask] = useState<string | null>(null)
  const [adding, setAdding] = useState<string | null>(null)
  const [leaving, setLeaving] = useState<string | null>(null)
  const [naming, setNaming] = useState(false)
  const [said, setSaid] = useState('')
  const drag = useBoardDrag(project.id, columns, setSaid)
  useShortcut('n', () => setAdding(columnInFocus() ?? columns[0]?.statusId ?? null))
  const leavingColumn = columns.find((column) => column.statusId === leaving)
  const carried = drag.lifted?.box && project.tasks.find((task) => task.id === drag.lifted?.taskId)

  return (
    <>
      <p id="card-help" hidden>
        Press Space to pick up, Enter to open.
      </p>
      <div className="visually-hidden" aria-live="assertive" data-announcements>
        {said}
      </div>
      <main
        className="board-scroll"
        data-board
        data-dragging={drag.lifted?.mode === 'pointer' || undefined}
        tabIndex={-1}
      >
        <FlipBoundary className="board" except={drag.landed}>
          {columns.map((column) => (
            <Column
              key={column.statusId}
              projectId={project.id}
              column={column}
              columns={columns}
              saving={saving}
              news={news}
              lifted={drag.lifted}
              adding={adding === column.statusId}
              onAdd={setAdding}
              onDelete={setLeaving}
              onOpen={setOpenTask}
              onPointerDown={drag.onPointerDown}
              onKeyDown={drag.onKeyDown}
            />
          ))}
          {columns.length === 0 && !naming ? (
            <BoardEmpty onAdd={() => setNaming(true)} />
          ) : (
            <NewColumn projectId={project.id} naming={naming} onNaming={setNaming} />
          )}
        </FlipBoundary>
      </main>
      {carried &&
        drag.lifted?.box &&
        createPortal(
          <div className="carried" data-carried style={drag.lifted.box} aria-hidden="true">
            <CardCopy task={carried} />
          </div>,
          document.body,
        )}
      {openTask !== null && (
        <TaskDialog
          task={project.tasks.find((task) => task.id === openTask)}
          project={project}
          columns={columns}
          onClose={() => setOpenTask(null)}
        />
      )}
      {leavingColumn && (
        <DeleteColumnDialog
          projectId={project.id}
          column={leavingColumn}
          columns={columns}
          onClose={() => setLeaving(null)}
        />
      )}
    </>
  )
}

function useBoardDrag(projectId: string, columns: ColumnView[], say: (text: string) => void) {
  const move = useMoveTask(projectId)
  const [controller] = useState(() => new DragController())
  const { lifted, landed } = useSyncExternalStore(controller.subscribe, controller.snapshot)
  const onDrop = (taskId: string, { statusId, beforeId }: Target) =>
    move.mutate({ taskId, statusId, beforeId })
  useLayoutEffect(() => controller.use({ columns, onDrop, say }))
  useEffect(() => () => controller.dispose(), [controller])
  useFocusThatFollows(lifted)
  return { lifted, landed, onPointerDown: controller.onPointerDown, onKeyDown: controller.onKeyDown }
}

/** A card that goes to another column by keys is a new element there: give it the focus back, and show it. */
function useFocusThatFollows(lifted: Lifted | null): void {
  const last = useRef<string | null>(null)
  useLayoutEffect(() => {
    const carried = lifted?.mode === 'keyboard' ? lifted.taskId : null
    const id = carried ?? last.current
    last.current = carried
    if (id === null) return
    focusCard(id)
    document
      .querySelector(`[data-card="${CSS.escape(id)}"]`)
      ?.scrollIntoView({ block: 'nearest', inline: 'nearest' })
  }, [lifted])
}

function NewColumn({
  projectId,
  naming,
  onNaming,
}: {
  projectId: string
  naming: boolean
  onNaming: (on: boolean) => void
}) {
  const create = useCreateStatus(projectId)
  const finish = (name: string | null) => {
    onNaming(false)
    if (name !== null) create.mutate({ name })
  }
  if (naming) {
    return (
      <div className="column new-column">
        <NameForm label="Name of the new column" placeholder="Column name" onDone={finish} />
      </div>
    )
  }
  return (
    <button type="button" className="add-column" onClick={() => onNaming(true)}>
      <PlusIcon /> Add column
    </button>
  )
}

function columnInFocus(): string | undefined {
  const column = document.activeElement?.closest('.column')
  return column?.querySelector<HTMLElement>('[data-column-list]')?.dataset['columnList']
}
