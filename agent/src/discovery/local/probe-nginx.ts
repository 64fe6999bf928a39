import { posix } from 'node:path'
import type { ServiceAddress } from '../../embedded/embedded-exporter.ts'
import { isOwnHost } from '../../embedded/instance-name.ts'
import type { Endpoint } from './endpoints.ts'
import { findStubStatus } from './nginx-config.ts'
import type { StubStatusPage } from './nginx-config.ts'
import { describeEndpoint } from './probe-connection.ts'
import { probeHttp } from './probe-http.ts'
import type { ProbeResult, ProbeTarget } from './probe-result.ts'
import { RootFiles } from './root-files.ts'

/** Pages that are asked for. */
const pagesMax = 4

/** Where the distributions and the projects themselves put it. */
const defaultPaths = [
  '/etc/nginx/nginx.conf',
  '/usr/local/nginx/conf/nginx.conf',
  '/usr/local/openresty/nginx/conf/nginx.conf',
  '/opt/nginx/conf/nginx.conf',
  '/usr/local/etc/nginx/nginx.conf',
]

/** Finds the stub_status page in the configuration, never by guessing, and asks for it. Never rejects. */
export async function probeNginx({ facts, endpoints }: ProbeTarget, timeoutMs: number): Promise<ProbeResult> {
  const files = new RootFiles(facts.rootPath)
  const found = await loadPages(files, findConfigPaths(facts.arguments))
  if (found.pages === undefined) return { kind: 'not-reachable', reason: found.reason }
  if (found.pages.length === 0) return { kind: 'not-reachable', reason: `${found.path} has no stub_status location` }
  let result: ProbeResult | undefined
  for (const page of found.pages.slice(0, pagesMax)) {
    const endpoint = await chooseEndpoint(page, endpoints, files)
    if (endpoint === undefined) continue
    result = await askPage(page, endpoint, timeoutMs)
    if (result.kind === 'confirmed' || result.kind === 'needs-credentials') return result
  }
  return result ?? { kind: 'not-reachable', reason: `the stub_status of ${found.path} is at no address that can be reached from here` }
}

async function askPage(page: StubStatusPage, endpoint: Endpoint, timeoutMs: number): Promise<ProbeResult> {
  try {
    const answer = await probeHttp(endpoint, page.isTls ? 'https' : 'http', encodeURI(page.path), timeoutMs)
    if (answer.status === 401)
      return { kind: 'needs-credentials', reason: `${page.path} wants a password`, address: addressOf(page, endpoint) }
    if (answer.status === 200 && answer.start.startsWith('Active connections:'))
      return { kind: 'confirmed', address: addressOf(page, endpoint) }
    const named = page.isDefaultServer ? '' : `, it is served for the name ${JSON.stringify(page.serverName)}`
    return {
      kind: 'not-reachable',
      reason: `GET ${page.path} at ${describeEndpoint(endpoint)} is answered with status ${answer.status}${named}`,
    }
  } catch (error) {
    return { kind: 'not-reachable', reason: error instanceof Error ? error.message : String(error) }
  }
}

function addressOf(page: StubStatusPage, endpoint: Endpoint): ServiceAddress {
  const path = encodeURI(page.path)
  return {
    uri:
      endpoint.kind === 'unix'
        ? `unix:${endpoint.path}:${path}`
        : `${page.isTls ? 'https' : 'http'}://${describeEndpoint(endpoint)}${path}`,
  }
}

/** The place at which the process really listens for the page's server. */
async function chooseEndpoint(page: StubStatusPage, endpoints: readonly Endpoint[], files: RootFiles): Promise<Endpoint | undefined> {
  if (page.socketPath !== '') {
    try {
      return { kind: 'unix', path: await files.resolve(page.socketPath) }
    } catch {
      return undefined
    }
  }
  const onPort = endpoints.filter((endpoint) => endpoint.kind === 'tcp' && endpoint.port === page.port)
  const isExact = (endpoint: Endpoint): boolean => endpoint.kind === 'tcp' && endpoint.listener.host === page.host
  return (
    onPort.find(isExact) ??
    (isOwnHost(page.host) ? onPort[0] : onPort.find((endpoint) => endpoint.kind === 'tcp' && isOwnHost(endpoint.listener.host)))
  )
}

/** The master's title is its command line: `nginx: master process /usr/sbin/nginx -c /etc/nginx/nginx.conf`. */
function findConfigPaths(args: readonly string[]): string[] {
  const words = args.length === 1 ? args[0]!.split(/\s+/) : args
  const valueOf = (option: string): string | undefined => {
    const at = words.indexOf(option)
    return at < 0 ? undefined : words[at + 1]
  }
  const given = valueOf('-c')
  const prefix = valueOf('-p')
  if (given !== undefined && given.startsWith('/')) return [given]
  const prefixes = [...(prefix === undefined ? [] : [prefix]), '/etc/nginx', '/usr/local/nginx', '/usr/local/openresty/nginx', '/opt/nginx']
  if (given !== undefined) return prefixes.map((path) => posix.join(path, given))
  return [...(prefix === undefined ? [] : [posix.join(prefix, 'conf/nginx.conf'), posix.join(prefix, 'nginx.conf')]), ...defaultPaths]
}

type Pages = { readonly pages: StubStatusPage[]; readonly path: string } | { readonly pages: undefined; readonly reason: string }

async function loadPages(files: RootFiles, paths: readonly string[]): Promise<Pages> {
  let reason = 'no configuration file is where one is expected'
  for (const path of paths) {
    try {
      // Plain pages first, and of those the ones that need no name.
      const pages = await findStubStatus(files, path)
      return { path, pages: pages.sort((a, b) => rank(a) - rank(b)) }
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT' && code !== 'ENOTDIR') reason = `cannot read ${path}: ${code ?? message}`
    }
  }
  return { pages: undefined, reason }
}

function rank(page: StubStatusPage): number {
  return (page.isDefaultServer ? 0 : 2) + (page.isTls ? 1 : 0)
}
