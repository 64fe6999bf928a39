import { parseWebConfig, type WebConfig } from '@narthex/config/web-config'
import { fastify, type FastifyError, type FastifyInstance, type FastifyPluginCallback } from 'fastify'
import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { ListenOptions, Socket } from 'node:net'
import { addBasicAuth, createAuthGate, createPasswordCheck, type PasswordCheck, type PasswordVerifier } from './basic-auth.ts'
import type { BodyRoute } from './body-route.ts'
import { DirectAnswers } from './direct/direct-answer.ts'
import type { DirectRoute } from './direct/direct-connection.ts'
import { DirectFront } from './direct/direct-front.ts'
import { formatListenUrl, ListenError, parseListenAddress, type ListenAddress } from './listen-address.ts'
import { answerWithoutRoute } from './no-route.ts'
import { addInstruments, type HttpInstruments } from './instruments.ts'
import { createTlsSettings, type TlsSettings } from './server-tls.ts'

/** What the server kit logs through; every logger of the project fits. */
export interface HttpLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void
  error(message: string, fields?: Readonly<Record<string, unknown>>): void
}

export interface HttpServerOptions {
  /** `:9090`, `127.0.0.1:9090`, `[::1]:9090`, `unix:/run/x.sock`; port 0 takes a free one. */
  readonly listenAddress: readonly string[]
  readonly webConfigFile?: string
  readonly log: HttpLog
  /** Names the server in log lines and errors. */
  readonly name: string
  /** Largest body of an ordinary route (1 MiB); routes that stream set their own. */
  readonly bodyBytesMax?: number
  /** Prefix of all routes added through `routes`, such as `/prometheus`. */
  readonly routePrefix?: string
  /** Connections at once (512, as Prometheus); further ones are closed at once. */
  readonly connectionsMax?: number
  /** Longest time to receive one request and to keep an idle connection (5 min, as Prometheus). */
  readonly readTimeoutMs?: number
  readonly instruments?: HttpInstruments
  /**
   * Compares a password with a bcrypt hash. Give `createWorkerVerifier(…)`: the default works in this thread, in slices of up to 100 ms.
   */
  readonly verifyPassword?: PasswordVerifier
}

export interface HttpServer {
  /** Add routes before `listen()`. Routes added here ignore the route prefix. */
  readonly fastify: FastifyInstance
  /** `''` or `/prefix` without a slash at the end. */
  readonly routePrefix: string
  /** Adds routes below the route prefix. */
  routes(plugin: FastifyPluginCallback): void
  /**
   * As `routes`, for what is answered from `listen` until `serve` while the program is made ready; the other routes may be added during
   * that time. To be called before `listen`.
   */
  routesOfStart(plugin: FastifyPluginCallback): void
  /**
   * Plain POST requests to exactly this path below the route prefix get to this route without the work of node:http and of the ordinary routes,
   * whose hooks do not see them; basic auth does. All else that comes to the path finds its ordinary route, which is to be added, too. To be
   * called before `listen`.
   */
  answerDirectly(path: string, route: BodyRoute): void
  /** Opens all addresses and gives their URLs. Throws `ListenError` with one clear line when one cannot be opened; none is open then. */
  listen(): Promise<string[]>
  /** After `routesOfStart`: from now on requests get to the other routes; those that run are still answered by the first ones. */
  serve(): Promise<void>
  /** Answers what is running, up to `graceMs`, then cuts. */
  close(graceMs: number): Promise<void>
}

/** The web config file cannot be read: an error of whoever started the program, told in one line. */
export class UnreadableWebConfigError extends Error {
  override name = 'UnreadableWebConfigError'
  readonly exitCode = 2
}

/** Throws a ConfigError when the web config file is wrong, an UnreadableWebConfigError when it is not there. */
export function createHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  return Promise.resolve().then(() => buildServer(options))
}

function buildServer(options: HttpServerOptions): HttpServer {
  const readConfig = (): WebConfig => readWebConfig(options.webConfigFile)
  let webConfig = readConfig()
  if (webConfig.rateLimit !== undefined) {
    options.log.warn('rate_limit has no effect yet', { server: options.name, file: options.webConfigFile })
  }
  const tls = webConfig.tls === undefined ? undefined : createTlsSettings(webConfig.tls)
  const addresses = options.listenAddress.map(parseListenAddress)
  const routePrefix = normalizePrefix(options.routePrefix)
  let handler: RequestListener = () => undefined
  const passwords = createPasswordCheck(options.verifyPassword)
  const makeApp = (): App => createApp(options, () => webConfig, passwords, routePrefix)
  const main = makeApp()
  let start: App | undefined

  const servers: (Server | TlsServer)[] = []
  const fronts: DirectFront[] = []
  const directRoutes = new Map<string, DirectRoute>()
  const readTimeoutMs = options.readTimeoutMs ?? 300_000
  const headersTimeoutMs = Math.min(60_000, readTimeoutMs)
  let watcher: NodeJS.Timeout | undefined

  // Secrets and certificates are looked at once a second, so that a change needs no restart and costs a request nothing.
  function watchConfig(): void {
    if (options.webConfigFile === undefined) return
    const tlsServers = servers.filter((server): server is TlsServer => 'setSecureContext' in server)
    let failing = false
    watcher = setInterval(() => {
      try {
        const next = readConfig()
        if ((next.tls === undefined) !== (webConfig.tls === undefined)) throw new Error('cannot switch TLS on or off without a restart')
        webConfig = next
        if (next.tls !== undefined && tls !== undefined && tls.reload(next.tls)) {
          for (const server of tlsServers) server.setSecureContext(tls.contextOptions())
          options.log.info('TLS certificates reloaded.', { server: options.name })
        }
        failing = false
      } catch (error) {
        if (!failing) options.log.error('cannot reload web configuration, keeping the last good one', { server: options.name, err: error })
        failing = true
      }
    }, 1_000)
    watcher.unref()
  }

  function standBefore(server: Server, event: 'connection' | 'secureConnection'): void {
    if (directRoutes.size === 0) return
    const front = new DirectFront(server, event, {
      routes: directRoutes,
      gate: createAuthGate(() => webConfig.basicAuthUsers, passwords),
      answers: new DirectAnswers(() => webConfig.headers, readTimeoutMs),
      instruments: options.instruments,
      firstRequestMs: headersTimeoutMs,
      keepAliveMs: readTimeoutMs,
      onBug: (path, error) => reportBug(options, 'POST', path, error),
    })
    fronts.push(front)
  }

  async function listen(): Promise<string[]> {
    const first = start ?? main
    await first.fastify.ready()
    handler = first.handler
    try {
      for (const address of addresses) {
        const server = createListener((request, response) => handler(request, response), tls, standBefore)
        server.requestTimeout = readTimeoutMs
        server.keepAliveTimeout = readTimeoutMs
        server.headersTimeout = headersTimeoutMs
        server.maxConnections = options.connectionsMax ?? 512
        countConnections(server, options.instruments)
        servers.push(server)
        await listenOn(server, address)
        // A connection that could not be accepted (no file descriptor left) is no reason to end.
        server.on('error', (error) => options.log.warn('cannot accept a connection', { server: options.name, err: error }))
      }
    } catch (error) {
      await closeServers(servers.splice(0), fronts.splice(0), 0)
      throw error
    }
    watchConfig()
    return servers.map((server, index) => formatListenUrl(server.address(), addresses[index]!, tls !== undefined))
  }

  async function serve(): Promise<void> {
    await main.fastify.ready()
    handler = main.handler
    const before = start
    start = undefined
    await before?.fastify.close()
  }

  async function close(graceMs: number): Promise<void> {
    clearInterval(watcher)
    await closeServers(servers.splice(0), fronts.splice(0), graceMs)
    await Promise.all([start?.fastify.close(), main.fastify.close()])
  }

  return {
    fastify: main.fastify,
    routePrefix,
    routes: (plugin) => void main.fastify.register(plugin, { prefix: routePrefix }),
    routesOfStart(plugin) {
      start ??= makeApp()
      start.fastify.register(plugin, { prefix: routePrefix })
    },
    answerDirectly: (path, route) => void directRoutes.set(routePrefix + path, { path, route }),
    listen,
    serve,
    close,
  }
}

interface App {
  readonly fastify: FastifyInstance
  readonly handler: RequestListener
}

/** An application that hangs on no server: who listens hands its requests to `handler`. */
function createApp(options: HttpServerOptions, webConfig: () => WebConfig, passwords: PasswordCheck, routePrefix: string): App {
  let handler: RequestListener = () => undefined
  const app = fastify({
    logger: false,
    bodyLimit: options.bodyBytesMax ?? 2 ** 20,
    exposeHeadRoutes: true,
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 4096 },
    return503OnClosing: false,
    // No route has a schema; what would check one takes 2 MB to load.
    schemaController: { compilersFactory: { buildValidator: refuseSchemas, buildSerializer: refuseSchemas } },
    serverFactory(dispatch) {
      handler = (request, response) => {
        for (const [name, value] of Object.entries(webConfig().headers)) response.setHeader(name, value)
        dispatch(request, response)
      }
      // Fastify wants one server to hang on; the ones that listen are made by `listen`.
      return createServer(handler)
    },
  })
  // A client's mistake is told to the client alone; an error of ours is logged, or nobody would see it.
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500
    if (status >= 500) reportBug(options, request.method, request.routeOptions.url, error)
    return reply.code(status).type('text/plain; charset=utf-8').send(`${error.message}\n`)
  })
  answerWithoutRoute(app)
  addBasicAuth(app, () => webConfig().basicAuthUsers, passwords)
  if (options.instruments !== undefined) addInstruments(app, options.instruments, routePrefix)
  return { fastify: app, handler }
}

function reportBug({ log, name }: HttpServerOptions, method: string, route: string | undefined, err: unknown): void {
  log.error('cannot answer an HTTP request: this is a bug in Narthex', { server: name, method, route, err })
}

function readWebConfig(path: string | undefined): WebConfig {
  if (path === undefined || path === '') return { http2: true, headers: {}, basicAuthUsers: {} }
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    const reason = code === 'ENOENT' ? 'no such file or directory' : message
    throw new UnreadableWebConfigError(`cannot read web config file ${path}: ${reason}`, { cause })
  }
  return parseWebConfig(text, path)
}

function normalizePrefix(prefix: string | undefined): string {
  const trimmed = (prefix ?? '').replace(/^\/+|\/+$/g, '')
  return trimmed === '' ? '' : `/${trimmed}`
}

function createListener(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
  tls: TlsSettings | undefined,
  standBefore: (server: Server, event: 'connection' | 'secureConnection') => void,
): Server {
  if (tls === undefined) {
    const server = createServer(handler)
    standBefore(server, 'connection')
    return server
  }
  const server = createTlsServer(tls.serverOptions(), handler)
  standBefore(server, 'secureConnection')
  tls.guard(server)
  return server
}

function listenOn(server: Server, address: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => reject(new ListenError(describeListenError(error, address), { cause: error }))
    server.once('error', onError)
    server.listen({ ...placeOf(address), backlog: 1024 }, () => {
      server.off('error', onError)
      resolve()
    })
  })
}

function placeOf({ descriptor, host, port, socketPath }: ListenAddress): ListenOptions & { fd?: number } {
  if (descriptor !== undefined) return { fd: descriptor }
  return socketPath === undefined ? { host, port } : { path: socketPath }
}

function describeListenError(error: NodeJS.ErrnoException, address: ListenAddress): string {
  const causes: Readonly<Record<string, string>> = {
    EADDRINUSE: 'bind: address already in use',
    EACCES: 'bind: permission denied',
    EADDRNOTAVAIL: 'bind: cannot assign requested address',
    ENOTFOUND: 'no such host',
  }
  return `listen ${address.socketPath === undefined ? 'tcp' : 'unix'} ${address.text}: ${causes[error.code ?? ''] ?? error.message}`
}

async function closeServers(servers: readonly Server[], fronts: readonly DirectFront[], graceMs: number): Promise<void> {
  const holders = [...servers, ...fronts]
  const closed = servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
  for (const holder of holders) holder.closeIdleConnections()
  const cut = setTimeout(() => {
    for (const holder of holders) holder.closeAllConnections()
  }, graceMs)
  // A connection that becomes idle after its last answer must not hold the stop until the deadline.
  const sweep = setInterval(() => {
    for (const holder of holders) holder.closeIdleConnections()
  }, 20)
  await Promise.all(closed)
  clearTimeout(cut)
  clearInterval(sweep)
}

function refuseSchemas(): never {
  throw new Error('cannot check a request or an answer by a schema: routes check what they are given themselves')
}

function countConnections(server: Server | TlsServer, instruments: HttpInstruments | undefined): void {
  if (instruments === undefined) return
  server.on('connection', (socket: Socket) => {
    instruments.opened?.()
    socket.once('close', () => instruments.closed?.())
  })
}
