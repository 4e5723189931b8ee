// The `pusher` server SDK for Node: each command is a call, each answer its status and body.
import { sdk, serve, tell } from './agent.mjs'

const pusher = sdk()

async function call(method, ...args) {
  try {
    const response = await pusher[method](...args)
    tell({ status: response.status, body: await response.text() })
  } catch (error) {
    if (error.status === undefined) throw error
    tell({ status: error.status, body: error.body })
  }
}

serve({
  trigger: ({ channels, event, data, params }) => call('trigger', channels, event, data, params ?? {}),
  batch: ({ batch }) => call('triggerBatch', batch),
  channels: ({ params }) => call('get', { path: '/channels', params }),
  channel: ({ name, params }) => call('get', { path: `/channels/${name}`, params }),
  toUser: ({ user, event, data }) => call('sendToUser', user, event, data),
  terminate: ({ user }) => call('terminateUserConnections', user),
  post: ({ path, body, params }) => call('post', { path, body, params }),
  users: ({ name }) => call('get', { path: `/channels/${name}/users` }),
})
tell({ ready: true })
