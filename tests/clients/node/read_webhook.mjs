// The `pusher` server SDK for Node reading webhooks: each command is a request, each answer what it makes of it.
import { sdk, serve, tell } from './agent.mjs'

const pusher = sdk()

serve({
  read({ headers, body }) {
    const webhook = pusher.webhook({ headers, rawBody: body })
    const valid = webhook.isValid()
    tell({
      valid,
      events: valid ? webhook.getEvents() : null,
      time: valid ? webhook.getTime().getTime() : null,
    })
  },
})
tell({ ready: true })
