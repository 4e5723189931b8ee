// What all agents share: one JSON value a line, commands on standard input, what happens on standard output.
import { createInterface } from 'node:readline'
import { createServer } from 'node:http'
import Pusher from 'pusher'

export const options = JSON.parse(process.argv[2])

export function tell(value) {
  process.stdout.write(JSON.stringify(value) + '\n')
}

// Runs handlers[command](fields) for each line {"do": command, ...fields} until standard input ends.
export function serve(handlers) {
  const lines = createInterface({ input: process.stdin })
  lines.on('line', async (line) => {
    const { do: command, ...fields } = JSON.parse(line)
    try {
      await handlers[command](fields)
    } catch (error) {
      tell({ failed: command, text: String(error.stack ?? error) })
    }
  })
  lines.on('close', () => process.exit(0))
}

export function sdk() {
  const { appId, key, secret, host, port, master } = options
  return new Pusher({ appId, key, secret, host, port, useTLS: false, encryptionMasterKeyBase64: master })
}

// The application's auth endpoints for channels and users, as its documentation shows them. Returns the first's address.
export async function authEndpoint() {
  const pusher = sdk()
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      const form = new URLSearchParams(body)
      if (request.url === '/pusher/user-auth') {
        const { user: id, info: user_info, watchlist } = options
        const answer = pusher.authenticateUser(form.get('socket_id'), { id: String(id), user_info, watchlist })
        if (options.forged) answer.auth = answer.auth.slice(0, -4) + '0000'
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
        return
      }
      const channel = form.get('channel_name')
      if (channel.includes('forbidden')) {
        response.writeHead(403).end()
        return
      }
      const user = channel.startsWith('presence-') && !options.bySignIn ? { user_id: options.user, user_info: options.info } : undefined
      const answer = pusher.authorizeChannel(form.get('socket_id'), channel, user)
      if (channel.includes('forged')) answer.auth = answer.auth.slice(0, -4) + '0000'
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${server.address().port}/pusher/auth`
}

export function clientOptions(endpoint) {
  return {
    cluster: 'mt1',
    wsHost: options.host,
    wsPort: options.port,
    wsPath: options.wsPath ?? '',
    forceTLS: false,
    enabledTransports: ['ws', 'wss'],
    authEndpoint: endpoint,
    channelAuthorization: { endpoint, transport: 'ajax' },
    userAuthentication: { endpoint: endpoint.replace('/auth', '/user-auth'), transport: 'ajax' },
  }
}
