// Laravel Echo as an application uses it: listen, private, join, whisper.
import Echo from 'laravel-echo'
import Pusher from 'pusher-js'
import { authEndpoint, clientOptions, options, serve, tell } from './agent.mjs'

const echo = new Echo({
  broadcaster: 'pusher',
  key: options.key,
  Pusher,
  ...clientOptions(await authEndpoint()),
})
const channels = {}

function open(kind, name) {
  const channel = (channels[name] ??= echo[kind](name))
  channel.subscribed(() => tell({ subscribed: name })).error((error) => tell({ refused: name, error }))
  return channel
}

echo.connector.pusher.connection.bind('connected', () => tell({ socket: echo.socketId() }))

serve({
  listen({ kind, name, event }) {
    open(kind, name).listen(event, (data) => tell({ name, event, data }))
  },
  whispers({ kind, name, event }) {
    open(kind, name).listenForWhisper(event, (data, meta) => tell({ name, whisper: event, data, user: meta?.user_id }))
  },
  presence({ name }) {
    open('join', name)
      .here((members) => tell({ name, here: members }))
      .joining((member) => tell({ name, joining: member }))
      .leaving((member) => tell({ name, leaving: member }))
  },
  whisper({ name, event, data }) {
    channels[name].whisper(event, data)
  },
  leave({ name }) {
    echo.leave(name)
    delete channels[name]
  },
})
