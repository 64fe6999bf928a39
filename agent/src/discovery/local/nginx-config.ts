import { posix } from 'node:path'
import type { RootFiles } from './root-files.ts'

/** Bounds of one configuration with everything that it includes. */
export const nginxConfigBytesMax = 2 ** 20
const filesMax = 512
const depthMax = 32
const directivesMax = 200_000

/** Where a page of stub_status is served. */
export interface StubStatusPage {
  /** `127.0.0.1`, `*`, `::`, or a name; empty for a unix socket. */
  readonly host: string
  readonly port: number
  /** Path of a unix socket as NGINX names it. */
  readonly socketPath: string
  readonly isTls: boolean
  readonly path: string
  /** Whether a request without the server's name gets there. */
  readonly isDefaultServer: boolean
  readonly serverName: string
}

interface Directive {
  readonly name: string
  readonly args: readonly string[]
  readonly block: readonly Directive[] | undefined
}

interface ServerBlock {
  readonly listens: readonly Listen[]
  readonly serverName: string
  readonly paths: readonly string[]
}

type Listen = Pick<StubStatusPage, 'host' | 'port' | 'socketPath' | 'isTls'> & { readonly isDefault: boolean }

/** Every page of stub_status in a configuration, includes followed. Throws when the main file cannot be read; parts that cannot be are left out. */
export async function findStubStatus(files: RootFiles, path: string): Promise<StubStatusPage[]> {
  const loader = new ConfigLoader(files, posix.dirname(path))
  const servers: ServerBlock[] = []
  for (const http of (await loader.load(path, 0)).filter(({ name }) => name === 'http')) {
    for (const { name, block } of http.block ?? []) if (name === 'server' && block !== undefined) servers.push(readServer(block))
  }
  // Of the servers at one address, the one that says so, else the first, gets the requests that name no other.
  const defaults = new Map<string, ServerBlock>()
  for (const server of servers) {
    for (const listen of server.listens) {
      const place = placeOf(listen)
      if (listen.isDefault || !defaults.has(place)) defaults.set(place, server)
    }
  }
  return servers.flatMap((server) =>
    server.listens.flatMap(({ isDefault: _isDefault, ...listen }) =>
      server.paths.map((page) => ({
        ...listen,
        path: page,
        isDefaultServer: defaults.get(placeOf(listen)) === server,
        serverName: server.serverName,
      })),
    ),
  )
}

function placeOf({ host, port, socketPath }: Pick<Listen, 'host' | 'port' | 'socketPath'>): string {
  return `${socketPath}|${host}|${port}`
}

function readServer(block: readonly Directive[]): ServerBlock {
  const listens = block.filter(({ name }) => name === 'listen').flatMap(({ args }) => readListen(args) ?? [])
  const isSaid = block.some(({ name }) => name === 'listen')
  const fallback: Listen = { host: '*', port: 80, socketPath: '', isTls: false, isDefault: false }
  const serverName = block.find(({ name }) => name === 'server_name')?.args[0] ?? ''
  return { listens: isSaid ? listens : [fallback], serverName, paths: [...findPaths(block, '/')] }
}

function* findPaths(block: readonly Directive[], path: string): Iterable<string> {
  for (const { name, args, block: inner } of block) {
    if (name === 'stub_status' && args[0] !== 'off') yield path
    if (name !== 'location' || inner === undefined) continue
    const [modifier, target] = args.length > 1 ? args : ['', args[0]]
    // A path that fits a pattern cannot be made up.
    if (modifier === '~' || modifier === '~*' || target === undefined || !target.startsWith('/')) continue
    yield* findPaths(inner, target)
  }
}

function readListen(args: readonly string[]): Listen | undefined {
  const [address = '', ...parameters] = args
  // One wants a header of its own before the request, the other is no TCP.
  if (parameters.includes('proxy_protocol') || parameters.includes('quic')) return undefined
  const isTls = parameters.includes('ssl')
  const isDefault = parameters.includes('default_server') || parameters.includes('default')
  if (address.startsWith('unix:')) return { host: '', port: 0, socketPath: address.slice('unix:'.length), isTls, isDefault }
  if (/^\d+$/.test(address)) return { host: '*', port: Number(address), socketPath: '', isTls, isDefault }
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(address)
  if (match === null) return undefined
  return { host: match[1] ?? match[2]!, port: Number(match[3] ?? 80), socketPath: '', isTls, isDefault }
}

class ConfigLoader {
  readonly #files: RootFiles
  readonly #directory: string
  #bytesLeft = nginxConfigBytesMax
  #filesLeft = filesMax
  #directivesLeft = directivesMax

  constructor(files: RootFiles, directory: string) {
    this.#files = files
    this.#directory = directory
  }

  async load(path: string, depth: number): Promise<Directive[]> {
    if (this.#filesLeft-- <= 0 || depth > depthMax) throw new Error(`cannot read ${path}: too many files`)
    const text = await this.#files.readText(path, this.#bytesLeft)
    this.#bytesLeft -= text.length
    const tokens = tokenize(text)
    return this.#readBlock(tokens, depth)
  }

  async #readBlock(tokens: Iterator<string>, depth: number): Promise<Directive[]> {
    const directives: Directive[] = []
    let words: string[] = []
    for (;;) {
      const next = tokens.next()
      if (next.done === true || next.value === '}') return directives
      const token = next.value
      if (token !== ';' && token !== '{') {
        words.push(token.startsWith('"') ? token.slice(1) : token)
        continue
      }
      if (this.#directivesLeft-- <= 0 || depth > depthMax) throw new Error('cannot read the configuration: it is too large')
      const [name = '', ...args] = words
      words = []
      const block = token === '{' ? await this.#readBlock(tokens, depth + 1) : undefined
      if (name === 'include' && args[0] !== undefined) directives.push(...(await this.#include(args[0], depth + 1)))
      else directives.push({ name, args, block })
    }
  }

  async #include(pattern: string, depth: number): Promise<Directive[]> {
    const directives: Directive[] = []
    for (const path of await this.#expand(posix.resolve(this.#directory, pattern))) {
      try {
        directives.push(...(await this.load(path, depth)))
      } catch {
        // A part that may not be read has no page that we could find.
      }
    }
    return directives
  }

  async #expand(pattern: string): Promise<string[]> {
    const name = posix.basename(pattern)
    if (!/[*?]/.test(name)) return [pattern]
    const source = name
      .replace(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]')
    const matches = new RegExp(`^${source}$`)
    const directory = posix.dirname(pattern)
    try {
      const entries = await this.#files.list(directory)
      return entries.filter((entry) => matches.test(entry) && !entry.startsWith('.')).map((entry) => posix.join(directory, entry))
    } catch {
      return []
    }
  }
}

/** Words, `{`, `}` and `;`. A quoted word begins with a quote here, so that it is never taken for one of the three. */
function* tokenize(text: string): Iterator<string> {
  const pattern =
    /#[^\n]*|"((?:[^"\\]|\\[\s\S])*)"|'((?:[^'\\]|\\[\s\S])*)'|[{};]|(?:\\[\s\S]|\$\{\w{0,64}\}|[^\s{};"'\\])(?:\\[\s\S]|\$\{\w{0,64}\}|[^\s{};\\])*/g
  for (const match of text.matchAll(pattern)) {
    const [whole, double, single] = match
    if (whole.startsWith('#')) continue
    if (double !== undefined || single !== undefined) yield `"${(double ?? single)!.replace(/\\(["'\\])/g, '$1')}`
    else yield whole
  }
}
