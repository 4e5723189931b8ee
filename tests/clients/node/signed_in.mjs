// pusher-js against an application's own auth endpoints: channels of every kind, encryption, sign-in.
import Pusher from 'pusher-js'
import { options, serve, tell } from './agent.mjs'

const headers = { 'x-session': options.session }
const pusher = new Pusher(options.key, {
  cluster: 'mt1',
  wsHost: options.host,
  wsPort: options.port,
  forceTLS: false,
  enabledTransports: ['ws', 'wss'],
  channelAuthorization: { endpoint: `${options.backend}/pusher/auth`, transport: 'ajax', headers },
  userAuthentication: { endpoint: `${options.backend}/pusher/user-auth`, transport: 'ajax', headers },
})

pusher.connection.bind('state_change', ({ current }) => tell({ state: current, socket: pusher.connection.socket_id }))
pusher.connection.bind('error', (error) => tell({ error: error.data ?? String(error.type ?? error) }))
pusher.user.bind_global((event, data) => tell({ user: event, data }))
pusher.user.watchlist.bind_global((event, data) => tell({ watchlist: event, data }))

serve({
  subscribe({ channel }) {
    pusher.subscribe(channel).bind_global((event, data) => {
      if (event === 'pusher:subscription_succeeded') data = data?.members ?? {}
      tell({ channel, event, data })
    })
  },
  signin() {
    pusher.signin()
    pusher.user.signinDonePromise.then(() => {
      tell({ signedIn: pusher.user.user_data?.id ?? null })
      const own = pusher.user.serverToUserChannel
      if (own?.subscribed) tell({ own: true })
      own?.bind('pusher:subscription_succeeded', () => tell({ own: true }))
    })
  },
  trigger({ channel, event, data }) {
    tell({ triggered: pusher.channel(channel).trigger(event, data) })
  },
})
