/** The one place that makes a pusher-js connection. Unmodified library; only its options are ours. */

import Pusher, { type Options } from 'pusher-js'

import { newId } from './ids'
import type { PusherLike } from './pusherLike'
import type { Config } from './types'

/** pusher-js calls itself unavailable after this long; then the page plans the retries (see connection.ts). */
const UNAVAILABLE_MS = 4_000

export function connectPusher(config: Config): PusherLike {
  return new Pusher(config.key, pusherOptions(config, location, newId('c-')))
}

/** Without a host the live server answers where the page came from. clientId: names this page to a server that keeps a cursor for it. */
export function pusherOptions(
  config: Config,
  page: { protocol: string; hostname: string; port: string },
  clientId: string,
): Options {
  const tls = config.forceTLS ?? page.protocol === 'https:'
  const port = config.wsPort ?? (Number(page.port) || (tls ? 443 : 80))
  return {
    cluster: '', // Required by the types; the host below is what counts.
    wsHost: config.wsHost ?? page.hostname,
    wsPort: port,
    wssPort: port,
    wsPath: config.resume ? `${config.wsPath}/c/${clientId}` : config.wsPath,
    forceTLS: tls,
    enabledTransports: ['ws', 'wss'],
    enableStats: false,
    unavailableTimeout: UNAVAILABLE_MS,
    channelAuthorization: {
      endpoint: 'api/pusher/auth',
      transport: 'ajax',
      headers: { 'X-Kanban-User': config.user },
    },
  }
}
