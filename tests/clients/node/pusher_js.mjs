// pusher-js as an application uses it: connect, subscribe, bind to everything, trigger client events.
import Pusher from 'pusher-js'
import { authEndpoint, clientOptions, options, serve, tell } from './agent.mjs'

const pusher = new Pusher(options.key, clientOptions(await authEndpoint()))

pusher.connection.bind('state_change', ({ current }) =>
  tell({ state: current, socket: pusher.connection.socket_id }),
)
pusher.connection.bind('error', (error) => tell({ error: error.data ?? error.error?.data ?? String(error.type ?? error) }))

pusher.user.bind_global((event, data) => tell({ toUser: event, data }))
pusher.user.watchlist.bind_global((event, data) => tell({ watchlist: event, users: data.user_ids }))

serve({
  async signin() {
    pusher.signin()
    await pusher.user.signinDonePromise
    const user = pusher.user.user_data?.id ?? null
    pusher.user.serverToUserChannel?.bind('pusher:subscription_succeeded', () => tell({ ownChannel: true }))
    tell({ signedIn: user })
  },
  subscribe({ channel }) {
    const subscribed = pusher.subscribe(channel)
    subscribed.unbind_global()
    subscribed.bind_global((event, data) => {
      if (event === 'pusher:subscription_succeeded') data = data?.members ?? {}
      tell({ channel, event, data })
    })
  },
  // Only a handler of one event is told who sent it.
  senders({ channel, event }) {
    pusher.channel(channel).bind(event, (data, { user_id: sender }) => tell({ channel, sent: event, sender }))
    tell({ bound: event })
  },
  unsubscribe({ channel }) {
    pusher.unsubscribe(channel)
  },
  disconnect() {
    pusher.disconnect()
  },
  connect() {
    pusher.connect()
  },
  trigger({ channel, event, data }) {
    tell({ triggered: pusher.channel(channel).trigger(event, data) })
  },
  members({ channel }) {
    const { members, count, myID } = pusher.channel(channel).members
    tell({ members, count, me: String(myID) })
  },
})
