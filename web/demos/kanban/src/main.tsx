/** Starts the page: asks the back end where to listen, wires the parts, and draws. */

import { QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot, type Root } from 'react-dom/client'

import { Api } from './api'
import { App } from './App'
import { BoardError, BoardSkeleton } from './components/states'
import { connectPusher } from './pusher'
import { createServices, ServicesProvider } from './services'
import { DEFAULTS } from './settings'
import { consoleLogger } from './trail'
import { listenForWake } from './wake'
import './styles/index.css'

const query = new URLSearchParams(location.search)
const logger = consoleLogger({ debug: query.has('debug') })
let user = query.get('user') ?? undefined
const api = new Api({ user: () => user, timeoutMs: DEFAULTS.requestTimeoutMs })
const element = document.getElementById('root')
if (!element) throw new Error('The page has no #root.')
let retry: () => void = () => undefined
listenForWake(() => retry())
void start(createRoot(element))

async function start(root: Root): Promise<void> {
  retry = () => undefined
  root.render(<BoardSkeleton />)
  try {
    const config = await api.config()
    user = config.user
    const settings = { ...DEFAULTS, emit: config.emit }
    const pusher = connectPusher(config)
    const services = createServices({
      api,
      pusher,
      settings,
      logger,
      user,
      channelPrefix: config.channelPrefix,
    })
    services.connection.start()
    retry = () => services.connection.wake()
    root.render(
      <StrictMode>
        <QueryClientProvider client={services.client}>
          <ServicesProvider value={services}>
            <App users={config.users} />
          </ServicesProvider>
        </QueryClientProvider>
      </StrictMode>,
    )
  } catch (error) {
    retry = () => void start(root)
    root.render(<BoardError error={error} onRetry={retry} />)
  }
}
