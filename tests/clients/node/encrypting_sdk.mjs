// The `pusher` server SDK for Node with a master key: it encrypts by itself.
import Pusher from 'pusher'
import { options, serve, tell } from './agent.mjs'

const { appId, key, secret, host, port, master } = options
const pusher = new Pusher({ appId, key, secret, host, port, useTLS: false, encryptionMasterKeyBase64: master })

serve({
  async trigger({ channel, event, data }) {
    const response = await pusher.trigger(channel, event, data)
    tell({ status: response.status })
  },
})
