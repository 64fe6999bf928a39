import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/** An object as the API gives it. */
export interface ApiObject {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown }
  readonly [key: string]: unknown
}

export interface SeenRequest {
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingMessage['headers']
  readonly isWatch: boolean
}

interface Collection {
  /** `apiVersion` and `kind` of its items. */
  readonly apiVersion: string
  readonly kind: string
  readonly objects: Map<string, ApiObject>
}

interface HistoryEntry {
  readonly version: number
  readonly plural: string
  readonly type: string
  readonly object: ApiObject
}

interface OpenWatch {
  readonly plural: string
  readonly namespace: string
  readonly selects: (object: ApiObject) => boolean
  readonly response: ServerResponse
}

const collectionKinds: Readonly<Record<string, readonly [string, string]>> = {
  pods: ['v1', 'Pod'],
  nodes: ['v1', 'Node'],
  services: ['v1', 'Service'],
  endpoints: ['v1', 'Endpoints'],
  namespaces: ['v1', 'Namespace'],
  endpointslices: ['discovery.k8s.io/v1', 'EndpointSlice'],
  ingresses: ['networking.k8s.io/v1', 'Ingress'],
  replicasets: ['apps/v1', 'ReplicaSet'],
  jobs: ['batch/v1', 'Job'],
}

/** Speaks list and watch as an API server does: pages, versions, bookmarks, resuming, 410 for versions it has forgotten. */
export class StubApiServer {
  readonly requests: SeenRequest[] = []
  /** Answers with this status and message instead, while it returns one. */
  refuse: (request: SeenRequest) => { readonly status: number; readonly message: string; readonly retryAfter?: string } | undefined = () =>
    undefined
  /** Objects per page when the client asks for pages; a real server ignores the client's wish with version 0. */
  pageSize = Infinity
  readonly #collections = new Map<string, Collection>()
  readonly #watches = new Set<OpenWatch>()
  #history: HistoryEntry[] = []
  #version = 1000
  #oldest = 1000
  #server: Server | undefined

  constructor() {
    for (const [plural, [apiVersion, kind]] of Object.entries(collectionKinds)) {
      this.#collections.set(plural, { apiVersion, kind, objects: new Map() })
    }
  }

  /** `port` 0 is any free one; gives the URL. */
  async listen(port = 0, tls?: { readonly cert: string; readonly key: string }): Promise<string> {
    const answer = (request: IncomingMessage, response: ServerResponse): void => this.#answer(request, response)
    const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer)
    this.#server = server
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
    return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined) return
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    this.#watches.clear()
    await closed
  }

  get watchCount(): number {
    return this.#watches.size
  }

  /** Lists or watches of one collection so far. */
  count(plural: string, isWatch: boolean): number {
    return this.requests.filter((request) => request.isWatch === isWatch && request.path.endsWith(`/${plural}`)).length
  }

  set(plural: string, object: ApiObject): void {
    const { objects } = this.#collection(plural)
    const type = objects.has(keyOf(object)) ? 'MODIFIED' : 'ADDED'
    const stored = this.#stamp(object)
    objects.set(keyOf(object), stored)
    this.#publish(plural, type, stored)
  }

  delete(plural: string, key: string): void {
    const { objects } = this.#collection(plural)
    const object = objects.get(key)
    if (object === undefined) throw new Error(`stub has no ${plural} ${key}`)
    objects.delete(key)
    this.#publish(plural, 'DELETED', this.#stamp(object))
  }

  /** Changes without telling any watch: what happens while a client is away. */
  deleteSilently(plural: string, key: string): void {
    this.#collection(plural).objects.delete(key)
    this.#version++
  }

  /** Moves the version on, and tells it. */
  bookmark(plural: string): void {
    this.#version++
    const { apiVersion, kind } = this.#collection(plural)
    const object = { apiVersion, kind, metadata: { name: '', resourceVersion: String(this.#version), creationTimestamp: null } }
    this.#publish(plural, 'BOOKMARK', object)
  }

  /** Versions up to now cannot be watched from any more. */
  forgetHistory(): void {
    this.#history = []
    this.#oldest = ++this.#version
  }

  /** Breaks every watch in the middle of a line. */
  dropWatches(): void {
    for (const { response } of this.#watches) {
      response.write('{"type":"MODIFIED","object":{"meta')
      response.socket?.destroySoon()
    }
    this.#watches.clear()
  }

  /** Ends every watch as the server does when its time is over. */
  endWatches(): void {
    for (const { response } of this.#watches) response.end()
    this.#watches.clear()
  }

  /** Sends a raw line to the watches of one collection. */
  sendRaw(plural: string, line: string): void {
    for (const watch of this.#watches) if (watch.plural === plural) watch.response.write(`${line}\n`)
  }

  #collection(plural: string): Collection {
    return this.#collections.get(plural)!
  }

  #stamp(object: ApiObject): ApiObject {
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } }
  }

  #publish(plural: string, type: string, object: ApiObject): void {
    const { apiVersion, kind } = this.#collection(plural)
    const entry = { version: Number(object.metadata['resourceVersion']), plural, type, object: { apiVersion, kind, ...object } }
    if (type !== 'BOOKMARK') this.#history.push(entry)
    for (const watch of this.#watches) if (watch.plural === plural) sendEvent(watch, entry)
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://stub')
    if (url.pathname === '/version') return sendJson(response, 200, { major: '1', minor: '29', gitVersion: 'v1.29.0' })
    const match = /^(\/api\/v1|\/apis\/[^/]+\/v1)(?:\/namespaces\/([^/]+))?\/([a-z]+)$/.exec(url.pathname)
    const collection = this.#collections.get(match?.[3] ?? '')
    const query = Object.fromEntries(url.searchParams)
    const isWatch = query['watch'] === 'true' || query['watch'] === '1'
    const seen = { path: url.pathname, query, headers: request.headers, isWatch }
    this.requests.push(seen)
    const refusal = this.refuse(seen)
    if (refusal !== undefined) {
      if (refusal.retryAfter !== undefined) response.setHeader('Retry-After', refusal.retryAfter)
      return sendStatus(response, refusal.status, refusal.message)
    }
    if (match === null || collection === undefined) return sendStatus(response, 404, `the server could not find ${url.pathname}`)
    const selects = selectorOf(query)
    if (isWatch) this.#startWatch(response, { plural: match[3]!, namespace: match[2] ?? '', selects, response }, query)
    else this.#list(response, collection, match[2] ?? '', selects, query)
  }

  #list(
    response: ServerResponse,
    { apiVersion, kind, objects }: Collection,
    namespace: string,
    selects: (object: ApiObject) => boolean,
    query: Readonly<Record<string, string>>,
  ): void {
    const [version, offset] = (query['continue'] ?? `${this.#version}:0`).split(':').map(Number) as [number, number]
    if (version < this.#oldest) return sendStatus(response, 410, 'The provided continue parameter is too old')
    const all = [...objects.values()].filter((object) => (namespace === '' || object.metadata.namespace === namespace) && selects(object))
    const limit = query['limit'] === undefined ? Infinity : Math.min(Number(query['limit']), this.pageSize)
    const isPaged = this.pageSize !== Infinity && offset + limit < all.length
    const metadata = {
      resourceVersion: String(version),
      ...(isPaged ? { continue: `${version}:${offset + limit}`, remainingItemCount: all.length - offset - limit } : {}),
    }
    const items = isPaged ? all.slice(offset, offset + limit) : all.slice(offset)
    sendJson(response, 200, { kind: `${kind}List`, apiVersion, metadata, items })
  }

  #startWatch(response: ServerResponse, watch: OpenWatch, query: Readonly<Record<string, string>>): void {
    const from = Number(query['resourceVersion'] ?? this.#version)
    if (from < this.#oldest) return sendStatus(response, 410, `too old resource version: ${from} (${this.#oldest})`)
    response.writeHead(200, { 'Content-Type': 'application/json' })
    response.flushHeaders()
    for (const entry of this.#history) if (entry.plural === watch.plural && entry.version > from) sendEvent(watch, entry)
    this.#watches.add(watch)
    response.once('close', () => this.#watches.delete(watch))
  }
}

function keyOf({ metadata: { namespace, name } }: ApiObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}

function sendEvent({ namespace, selects, response }: OpenWatch, { type, object }: HistoryEntry): void {
  if (type !== 'BOOKMARK' && ((namespace !== '' && object.metadata.namespace !== namespace) || !selects(object))) return
  response.write(`${JSON.stringify({ type, object })}\n`)
}

/** `a=b` and `a!=b` of fields and labels, several by comma. */
function selectorOf(query: Readonly<Record<string, string>>): (object: ApiObject) => boolean {
  const fields = parseSelector(query['fieldSelector'], (object, path) =>
    path.split('.').reduce<unknown>((value, part) => (value as Record<string, unknown> | undefined)?.[part], object),
  )
  const labels = parseSelector(
    query['labelSelector'],
    (object, name) => (object.metadata['labels'] as Record<string, string> | undefined)?.[name],
  )
  return (object) => fields(object) && labels(object)
}

function parseSelector(text: string | undefined, read: (object: ApiObject, name: string) => unknown): (object: ApiObject) => boolean {
  const terms = (text ?? '').split(',').filter((term) => term !== '')
  return (object) =>
    terms.every((term) => {
      const [, name, operator, value] = /^(.+?)(!=|=)(.*)$/.exec(term)!
      return (read(object, name!) === value) === (operator === '=')
    })
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(body))
}

function sendStatus(response: ServerResponse, code: number, message: string): void {
  sendJson(response, code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason: 'Stub', code })
}
