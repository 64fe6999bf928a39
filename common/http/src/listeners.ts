import { parseWebConfig, type WebConfig } from '@narthex/config/web-config'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import type { Server as TlsServer } from 'node:https'
import type { ListenOptions as Place, Socket } from 'node:net'
import type { HttpInstruments } from './instruments.ts'
import { formatListenUrl, ListenError, parseListenAddress, type ListenAddress } from './listen-address.ts'
import { createTlsSettings, type TlsSettings } from './server-tls.ts'
import { answerUnreadable } from './unreadable-request.ts'

/** What the server kit logs through; every logger of the project fits. */
export interface HttpLog {
  info(message: string, fields?: Readonly<Record<string, unknown>>): void
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void
  error(message: string, fields?: Readonly<Record<string, unknown>>): void
}

export interface ListenersOptions {
  /** `:9090`, `127.0.0.1:9090`, `[::1]:9090`, `unix:/run/x.sock`; port 0 takes a free one. */
  readonly listenAddress: readonly string[]
  readonly webConfigFile?: string
  readonly log: HttpLog
  /** Names the server in log lines and errors. */
  readonly name: string
  /** Connections at once (512, as Prometheus); further ones are closed at once. */
  readonly connectionsMax?: number
  /** Longest time to receive one request and to keep an idle connection (5 min, as Prometheus). */
  readonly readTimeoutMs?: number
  readonly instruments?: HttpInstruments
}

/** Something that holds connections. */
export interface ConnectionHolder {
  closeIdleConnections(): void
  closeAllConnections(): void
}

/** Called with each server before it listens, and with the name of its event that brings connections which speak HTTP; gives who took connections over. */
export type StandBefore = (server: Server, event: 'connection' | 'secureConnection') => ConnectionHolder | undefined

export interface ListenOptions {
  readonly standBefore?: StandBefore
  /** What node:http is told beside the times and limits of the listeners. */
  readonly serverOptions?: ServerOptions
}

/** The web config file cannot be read: an error of whoever started the program, told in one line. */
export class UnreadableWebConfigError extends Error {
  override name = 'UnreadableWebConfigError'
  readonly exitCode = 2
}

/** The addresses of one HTTP server, with what the web config says of TLS. */
export class Listeners {
  readonly readTimeoutMs: number
  /** Longest time to receive the head of a request. */
  readonly headersTimeoutMs: number
  readonly #options: ListenersOptions
  readonly #tls: TlsSettings | undefined
  readonly #addresses: readonly ListenAddress[]
  readonly #servers: Server[] = []
  readonly #holders: ConnectionHolder[] = []
  #webConfig: WebConfig
  #watcher: NodeJS.Timeout | undefined

  /** Throws a ConfigError when the web config file is wrong, an UnreadableWebConfigError when it is not there, ListenError for what is no address. */
  constructor(options: ListenersOptions) {
    this.#options = options
    this.#webConfig = readWebConfig(options.webConfigFile)
    if (this.#webConfig.rateLimit !== undefined) {
      options.log.warn('rate_limit has no effect yet', { server: options.name, file: options.webConfigFile })
    }
    this.#tls = this.#webConfig.tls === undefined ? undefined : createTlsSettings(this.#webConfig.tls)
    this.#addresses = options.listenAddress.map(parseListenAddress)
    this.readTimeoutMs = options.readTimeoutMs ?? 300_000
    this.headersTimeoutMs = Math.min(60_000, this.readTimeoutMs)
  }

  /** As the file says now: users and headers may change while the server runs. */
  get webConfig(): WebConfig {
    return this.#webConfig
  }

  /** Opens all addresses and gives their URLs. Throws `ListenError` with one clear line when one cannot be opened; none is open then. */
  async listen(handler: RequestListener, { standBefore, serverOptions = {} }: ListenOptions = {}): Promise<string[]> {
    const { connectionsMax, instruments, log, name } = this.#options
    try {
      for (const address of this.#addresses) {
        const server = this.#createServer(serverOptions, handler, standBefore)
        server.requestTimeout = this.readTimeoutMs
        server.keepAliveTimeout = this.readTimeoutMs
        server.headersTimeout = this.headersTimeoutMs
        server.maxConnections = connectionsMax ?? 512
        // Who has said all and closes its side (`printf … | socat - TCP:…`) still wants the answer.
        Object.assign(server, { httpAllowHalfOpen: true })
        server.on('clientError', answerUnreadable)
        countConnections(server, instruments)
        this.#servers.push(server)
        await listenOn(server, address)
        // A connection that could not be accepted (no file descriptor left) is no reason to end.
        server.on('error', (error) => log.warn('cannot accept a connection', { server: name, err: error }))
      }
    } catch (error) {
      await this.close(0)
      throw error
    }
    this.#watchConfig()
    return this.#servers.map((server, index) => formatListenUrl(server.address(), this.#addresses[index]!, this.#tls !== undefined))
  }

  /** Answers what is running, up to `graceMs`, then cuts. */
  async close(graceMs: number): Promise<void> {
    clearInterval(this.#watcher)
    const servers = this.#servers.splice(0)
    const holders = [...servers, ...this.#holders.splice(0)]
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

  #createServer(options: ServerOptions, handler: RequestListener, standBefore: StandBefore | undefined): Server {
    const tls = this.#tls
    // https is loaded here: it takes 3 MB, which who listens without TLS does not need.
    const server =
      tls === undefined
        ? createServer(options, handler)
        : process.getBuiltinModule('node:https').createServer({ ...options, ...tls.serverOptions() }, handler)
    const holder = standBefore?.(server, tls === undefined ? 'connection' : 'secureConnection')
    if (holder !== undefined) this.#holders.push(holder)
    tls?.guard(server)
    return server
  }

  // Secrets and certificates are looked at once a second, so that a change needs no restart and costs a request nothing.
  #watchConfig(): void {
    const { log, name, webConfigFile } = this.#options
    if (webConfigFile === undefined) return
    const tlsServers = this.#servers.filter((server): server is TlsServer => 'setSecureContext' in server)
    const tls = this.#tls
    let failing = false
    this.#watcher = setInterval(() => {
      try {
        const next = readWebConfig(webConfigFile)
        if ((next.tls === undefined) !== (this.#webConfig.tls === undefined))
          throw new Error('cannot switch TLS on or off without a restart')
        this.#webConfig = next
        if (next.tls !== undefined && tls !== undefined && tls.reload(next.tls)) {
          for (const server of tlsServers) server.setSecureContext(tls.contextOptions())
          log.info('TLS certificates reloaded.', { server: name })
        }
        failing = false
      } catch (error) {
        if (!failing) log.error('cannot reload web configuration, keeping the last good one', { server: name, err: error })
        failing = true
      }
    }, 1_000)
    this.#watcher.unref()
  }
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

function placeOf({ descriptor, host, port, socketPath }: ListenAddress): Place & { fd?: number } {
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

function countConnections(server: Server, instruments: HttpInstruments | undefined): void {
  if (instruments === undefined) return
  server.on('connection', (socket: Socket) => {
    instruments.opened?.()
    socket.once('close', () => instruments.closed?.())
  })
}
