/** A page that shows this one in a frame may say that now is a good moment to try again. It learns nothing by it. */

export const WAKE = 'tidings:wake'
export const AWAKE = 'tidings:awake'

/** Calls `wake` when the parent asks for it, and answers. The returned function ends it. */
export function listenForWake(wake: () => void, view: Window = window): () => void {
  const onMessage = (event: MessageEvent) => {
    if (event.data !== WAKE || event.source !== view.parent || !isOurs(event.origin, view.location)) return
    view.parent.postMessage(AWAKE, event.origin)
    wake()
  }
  view.addEventListener('message', onMessage)
  return () => view.removeEventListener('message', onMessage)
}

/** The same computer by the same scheme; the demo's stage has another port than the board behind its cable. */
function isOurs(origin: string, own: { protocol: string; hostname: string }): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, hostname } = new URL(origin)
  return protocol === own.protocol && hostname === own.hostname
}
