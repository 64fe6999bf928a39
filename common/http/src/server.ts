import type { WebConfig } from '@narthex/config/web-config'
import { fastify, type FastifyError, type FastifyInstance, type FastifyPluginCallback } from 'fastify'
import { createServer, type RequestListener } from 'node:http'
import { addBasicAuth, createAuthGate, createPasswordCheck, type PasswordCheck, type PasswordVerifier } from './basic-auth.ts'
import type { BodyRoute } from './body-route.ts'
import { DirectAnswers } from './direct/direct-answer.ts'
import { DirectConnection, type DirectOptions, type DirectRoute } from './direct/direct-connection.ts'
import { DirectFront } from './direct/direct-front.ts'
import { answerWithoutRoute } from './no-route.ts'
import { addInstruments } from './instruments.ts'
import { rehearse, type RehearsedRequest } from './rehearsal.ts'
import { Listeners, type ListenersOptions, type StandBefore } from './listeners.ts'

export { type HttpLog, UnreadableWebConfigError } from './listeners.ts'

export interface HttpServerOptions extends ListenersOptions {
  /** Largest body of an ordinary route (1 MiB); routes that stream set their own. */
  readonly bodyBytesMax?: number
  /** First line and headers of a request together (16 KiB); the head of each connection may take as much. */
  readonly headBytesMax?: number
  /** Prefix of all routes added through `routes`, such as `/prometheus`. */
  readonly routePrefix?: string
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
  /** Has the routes that are there after `serve` answer a request that nobody sent, and no instrument sees. */
  rehearse(request: RehearsedRequest): Promise<void>
  /** Answers what is running, up to `graceMs`, then cuts. */
  close(graceMs: number): Promise<void>
}

/** Throws a ConfigError when the web config file is wrong, an UnreadableWebConfigError when it is not there. */
export function createHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  return Promise.resolve().then(() => buildServer(options))
}

function buildServer(options: HttpServerOptions): HttpServer {
  const listeners = new Listeners(options)
  const webConfig = (): WebConfig => listeners.webConfig
  const { headersTimeoutMs, readTimeoutMs } = listeners
  const routePrefix = normalizePrefix(options.routePrefix)
  let handler: RequestListener = () => undefined
  const passwords = createPasswordCheck(options.verifyPassword)
  const makeApp = (): App => createApp(options, webConfig, passwords, routePrefix)
  const main = makeApp()
  let start: App | undefined
  let isClosed = false
  const directRoutes = new Map<string, DirectRoute>()

  const standBefore: StandBefore = (server, event) => {
    if (directRoutes.size === 0) return undefined
    return new DirectFront(server, event, (use) => {
      const connectionOptions: DirectOptions = {
        ...use,
        routes: directRoutes,
        gate: createAuthGate(() => webConfig().basicAuthUsers, passwords),
        answers: new DirectAnswers(() => webConfig().headers, readTimeoutMs),
        instruments: options.instruments,
        firstRequestMs: headersTimeoutMs,
        keepAliveMs: readTimeoutMs,
        onBug: (path, error) => reportBug(options, 'POST', path, error),
      }
      return (socket) => new DirectConnection(socket, connectionOptions)
    })
  }

  async function listen(): Promise<string[]> {
    const first = start ?? main
    await first.fastify.ready()
    handler = first.handler
    return listeners.listen((request, response) => handler(request, response), {
      standBefore,
      ...(options.headBytesMax === undefined ? {} : { serverOptions: { maxHeaderSize: options.headBytesMax } }),
    })
  }

  async function serve(): Promise<void> {
    await main.fastify.ready()
    handler = main.handler
    const before = start
    start = undefined
    await before?.fastify.close()
  }

  async function rehearseRequest(request: RehearsedRequest): Promise<void> {
    if (isClosed) return
    await main.fastify.ready()
    await rehearse(main.fastify.server, request)
  }

  async function close(graceMs: number): Promise<void> {
    isClosed = true
    await listeners.close(graceMs)
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
    rehearse: rehearseRequest,
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
    // As Go's servers of the family, which answer HEAD where a route says so alone.
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 4096 },
    // A path with a wrong escape.
    frameworkErrors(_error, _request, { raw }) {
      raw.writeHead(400, { 'content-type': 'text/plain; charset=utf-8' }).end('400 Bad Request')
    },
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

function normalizePrefix(prefix: string | undefined): string {
  const trimmed = (prefix ?? '').replace(/^\/+|\/+$/g, '')
  return trimmed === '' ? '' : `/${trimmed}`
}

function refuseSchemas(): never {
  throw new Error('cannot check a request or an answer by a schema: routes check what they are given themselves')
}
