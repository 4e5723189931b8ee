/** The broadcast helper of the `client-trigger` mode (K4, K5). It may fail; the mutation that called it never does. */

import type { Api } from './api'
import type { Logger } from './trail'
import type { EventData, EventName } from './types'

/** Ask the back end to announce a saved change. Never rejects: a failure is logged in exactly one line. */
export async function broadcastTaskEvent(
  { api, logger }: { api: Api; logger: Logger },
  projectId: string,
  event: EventName,
  data: EventData,
  { channel = `project-${projectId}`, correlation = '' }: { channel?: string; correlation?: string } = {},
): Promise<void> {
  logger.debug({ step: 'Broadcasting event:', correlation, event, data })
  try {
    await api.trigger({ channel, event, data, projectId })
  } catch (error) {
    logger.error('Failed to broadcast event:', error)
  }
}

/** Broadcasts of one page, one after the other: two changes are announced in the order they were saved (D14). */
export class BroadcastLine {
  private last: Promise<void> = Promise.resolve()

  send(...call: Parameters<typeof broadcastTaskEvent>): Promise<void> {
    this.last = this.last.then(() => broadcastTaskEvent(...call))
    return this.last
  }
}
