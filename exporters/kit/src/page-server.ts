import { createAuthGate, createPasswordCheck, type AuthGate, type PasswordVerifier } from '@narthex/http/basic-auth'
import { DirectFront } from '@narthex/http/direct/direct-front'
import { PageConnection, type PageConnectionOptions } from '@narthex/http/direct/page-connection'
import { PageHeads } from '@narthex/http/direct/page-heads'
import type { PlainRequest } from '@narthex/http/direct/plain-request'
import { Listeners, type ListenersOptions, type StandBefore } from '@narthex/http/listeners'
import type { Secret } from '@narthex/config/secret'
import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'
import type { MetricsRequest, MetricsResponse } from './metrics-answer.ts'

/** What is answered at one path to some methods. */
export interface Page {
  /** Exactly as in requests, without a query. */
  readonly path: string
  /** `GET` answers HEAD, too. */
  readonly methods: readonly ('GET' | 'POST' | 'PUT')[]
  answer(request: MetricsRequest): MetricsResponse | Promise<MetricsResponse>
}

export interface PageServerOptions extends ListenersOptions {
  readonly pages: readonly Page[]
  /** Answers at all other paths, whatever the method; default: 404. */
  readonly elsewhere?: () => MetricsResponse
  /** Users of the program's own flags with their passwords or hashes; those of the web config are asked for as well. */
  readonly users?: { readonly known: Readonly<Record<string, Secret>>; readonly verify: PasswordVerifier }
  /** Compares a password with a bcrypt hash of the web config; started when the first one comes. */
  readonly verifyPassword: () => PasswordVerifier
}

export interface PageServer {
  /** Opens all addresses and gives their URLs. Throws `ListenError` with one clear line when one cannot be opened; none is open then. */
  listen(): Promise<string[]>
  /** Answers what is running, up to `graceMs`, then cuts. */
  close(graceMs: number): Promise<void>
}

const plainTextType = 'text/plain; charset=utf-8'
/** Of a request: the line and all fields; node:http answers more with 431. */
const headBytesMax = 16 * 1024

/**
 * Serves a few pages of fixed paths. Plain requests for them are answered before node:http; all else, and all requests while somebody has to log in, it
 * gets, with all limits but one: bodies are not read. A framework takes 8 MB and half of the processor time of a small scrape for what is a look into
 * a map here. Throws what `Listeners` throws.
 */
export function createPageServer(options: PageServerOptions): PageServer {
  const listeners = new Listeners(options)
  const pages = new Map<string, Page[]>()
  for (const page of options.pages) pages.set(page.path, [...(pages.get(page.path) ?? []), page])
  const gates = createGates(options, () => listeners.webConfig.basicAuthUsers)

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', headers } = request
    const { path, query } = splitTarget(request.url ?? '/')
    try {
      const found = pages.get(path)
      const page = findPage(found, method)
      const refusal = gates().length === 0 ? undefined : await refuse(request)
      if (refusal !== undefined) send(response, method, refusal)
      else if (found === undefined && options.elsewhere !== undefined) send(response, method, options.elsewhere())
      else if (page === undefined) send(response, method, answerWithoutPage(found))
      else send(response, method, await page.answer({ query, headers }))
    } catch (error) {
      const answer = answerBug(method, path, error)
      if (response.headersSent) response.destroy()
      else send(response, method, answer)
    }
  }

  function answerBug(method: string, path: string, error: unknown): MetricsResponse {
    options.log.error('cannot answer an HTTP request: this is a bug in Narthex', {
      server: options.name,
      method,
      route: path,
      err: error,
    })
    return plain(500, `${error instanceof Error ? error.message : String(error)}\n`)
  }

  /** Undefined for a request that may come in. */
  async function refuse(request: IncomingMessage): Promise<MetricsResponse | undefined> {
    for (const gate of gates()) {
      const { authorization } = request.headers
      if (gate.isAccepted(request.socket, authorization)) continue
      const verdict = await gate.judge(request.socket, authorization)
      if (verdict === undefined) return plain(503, 'Too many logins\n', { 'retry-after': '1' })
      if (!verdict) return plain(401, 'Unauthorized\n', { 'www-authenticate': 'Basic' })
    }
    return undefined
  }

  function send(response: ServerResponse, method: string, { status, headers, body, release }: MetricsResponse): void {
    const web = listeners.webConfig.headers
    for (const name in web) response.setHeader(name, web[name]!)
    // The words, too: those of an answer that could not be sent would stay.
    response.writeHead(status, STATUS_CODES[status] ?? 'unknown', { ...headers, 'content-length': body.length })
    // A client that goes before it has read all leaves the memory to the collector.
    if (method === 'HEAD') response.end(release)
    else response.end(body, release)
  }

  // Who asks again is known by the request that it sent before.
  const asked = new WeakMap<PlainRequest, AskedPage>()

  function answerPlain(request: PlainRequest): MetricsResponse | Promise<MetricsResponse> | undefined {
    if (gates().length > 0) return undefined
    let known = asked.get(request)
    if (known === undefined) {
      const { path, query } = splitTarget(request.target)
      const page = findPage(pages.get(path), request.method)
      if (page === undefined) return undefined
      known = { page, path, request: { query, headers: request.headers } }
      asked.set(request, known)
    }
    const { page, path } = known
    try {
      const answer = page.answer(known.request)
      return answer instanceof Promise ? answer.catch((error: unknown) => answerBug(request.method, path, error)) : answer
    } catch (error) {
      return answerBug(request.method, path, error)
    }
  }

  // As long as the program's own flags name users nothing is plain.
  const standBefore: StandBefore = (server, event) => {
    if (options.users !== undefined) return undefined
    return new DirectFront(server, event, (use) => {
      const connectionOptions: PageConnectionOptions = {
        ...use,
        answer: answerPlain,
        onBadHeaders: ({ method, target }, error) => answerBug(method, target, error),
        heads: new PageHeads(() => listeners.webConfig.headers, listeners.readTimeoutMs),
        firstRequestMs: listeners.headersTimeoutMs,
        keepAliveMs: listeners.readTimeoutMs,
      }
      return (socket) => new PageConnection(socket, connectionOptions)
    })
  }

  return {
    listen: () =>
      listeners.listen((request, response) => void respond(request, response), {
        standBefore,
        serverOptions: { maxHeaderSize: headBytesMax, optimizeEmptyRequests: true },
      }),
    close: (graceMs) => listeners.close(graceMs),
  }
}

/** A page, and what it is asked. */
interface AskedPage {
  readonly page: Page
  readonly path: string
  readonly request: MetricsRequest
}

function findPage(found: readonly Page[] | undefined, method: string): Page | undefined {
  return found?.find(({ methods }) => methods.some((one) => one === method || (one === 'GET' && method === 'HEAD')))
}

/** Whoever may say who has to log in; made when somebody has to. */
function createGates(
  { users, verifyPassword }: PageServerOptions,
  webUsers: () => Readonly<Record<string, Secret>>,
): () => readonly AuthGate[] {
  const own = users === undefined ? [] : [createAuthGate(() => users.known, createPasswordCheck(users.verify))]
  let all: readonly AuthGate[] | undefined
  return () => {
    if (all === undefined && Object.keys(webUsers()).length > 0) {
      all = [createAuthGate(webUsers, createPasswordCheck(verifyPassword())), ...own]
    }
    return all ?? own
  }
}

/** As Go's servers of the family: 404, or 405 with `Allow` where the path has pages for other methods. */
function answerWithoutPage(others: readonly Page[] | undefined): MetricsResponse {
  if (others === undefined) return plain(404, '404 page not found\n')
  const allow = [...others.flatMap(({ methods }) => methods), 'OPTIONS'].sort().join(', ')
  return plain(405, 'Method Not Allowed\n', { allow })
}

function plain(status: number, text: string, headers: Readonly<Record<string, string>> = {}): MetricsResponse {
  return { status, headers: { ...headers, 'content-type': plainTextType }, body: Buffer.from(text) }
}

const noQuery = new URLSearchParams()

/** Path, without its escapes, and query of a request's target. */
function splitTarget(target: string): { readonly path: string; readonly query: URLSearchParams } {
  // What is said to a proxy: http://host/path.
  const url = target.startsWith('/') ? null : URL.parse(target)
  if (url !== null) return { path: decodePath(url.pathname), query: url.searchParams }
  const mark = target.indexOf('?')
  if (mark < 0) return { path: decodePath(target), query: noQuery }
  return { path: decodePath(target.slice(0, mark)), query: new URLSearchParams(target.slice(mark + 1)) }
}

function decodePath(path: string): string {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
