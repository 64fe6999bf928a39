import { extname } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readAsset } from '@narthex/service/asset'

// The browser pages: one document for every page path (the browser routes), and its assets, whose names carry a hash.

type PageProgram = 'server' | 'agent'

const serverPaths = [
  '/',
  '/query',
  '/graph',
  '/alerts',
  '/rules',
  '/targets',
  '/service-discovery',
  '/status',
  '/config',
  '/flags',
  '/tsdb-status',
]

const agentPaths = ['/', '/targets', '/service-discovery', '/remote-write', '/status', '/config', '/flags']

const programs: Readonly<Record<PageProgram, { readonly document: string; readonly paths: readonly string[] }>> = {
  server: { document: 'index.html', paths: serverPaths },
  agent: { document: 'agent.html', paths: agentPaths },
}

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
}

// What a page may load: itself and nothing from outside. Styles are set by script on elements, hence 'unsafe-inline' for styles alone.
const contentSecurityPolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; frame-ancestors 'self'; base-uri 'self'"

const compress = promisify(gzip)

interface CachedAsset {
  readonly plain: Uint8Array
  zipped: Promise<Uint8Array> | undefined
}

export interface PageOptions {
  /** The route prefix ('' or '/narthex') that `server` has already; it becomes the document's base address. */
  readonly prefix: string
  /** Title of the document. */
  readonly title: string
  /** Default: the server's pages. */
  readonly program?: PageProgram
  /** Where below the prefix the pages are; default: at its root. */
  readonly path?: string
}

// Asset names are flat: a path with more to it could name one file in endless ways, each of which would be kept in memory.
const assetNamePattern = /^\w[\w.-]*$/

/** Adds the page routes. */
export function registerPages(server: FastifyInstance, options: PageOptions): void {
  const { program = 'server', path: place = '' } = options
  const { document, paths } = programs[program]
  const cache = new Map<string, CachedAsset>()
  const find = (path: string): CachedAsset | undefined => {
    let asset = cache.get(path)
    if (asset) return asset
    const bytes = readAsset(`web/${path}`)
    if (!bytes) return undefined
    asset = { plain: path === document ? fillDocument(bytes, options) : bytes, zipped: undefined }
    cache.set(path, asset)
    return asset
  }
  if (place !== '') server.get(place, (_request, reply) => reply.redirect(`${options.prefix}${place}/`))
  for (const path of paths) {
    server.get(place + path, (request, reply) => {
      const page = find(document)
      if (!page)
        return reply.code(503).type('text/plain; charset=utf-8').send('cannot show the page: the pages are not built, run npm run build\n')
      void reply.header('Content-Security-Policy', contentSecurityPolicy).header('Cache-Control', 'no-cache')
      return sendAsset(request, reply, page, document)
    })
  }
  server.get(`${place}/assets/:name`, (request, reply) => {
    const { name } = request.params as { name: string }
    const path = `assets/${name}`
    const asset = assetNamePattern.test(name) ? find(path) : undefined
    if (!asset) return reply.code(404).type('text/plain; charset=utf-8').send('not found\n')
    void reply.header('Cache-Control', 'public, max-age=31536000, immutable')
    return sendAsset(request, reply, asset, path)
  })
}

async function sendAsset(request: FastifyRequest, reply: FastifyReply, asset: CachedAsset, path: string): Promise<FastifyReply> {
  void reply.type(contentTypes[extname(path)] ?? 'application/octet-stream').header('X-Content-Type-Options', 'nosniff')
  void reply.header('Vary', 'Accept-Encoding')
  if (asset.plain.length < 1024 || !/\bgzip\b/.test(request.headers['accept-encoding'] ?? '')) return reply.send(Buffer.from(asset.plain))
  asset.zipped ??= compress(asset.plain)
  return reply.header('Content-Encoding', 'gzip').send(await asset.zipped)
}

function fillDocument(document: Uint8Array, { prefix, title, path = '' }: PageOptions): Uint8Array {
  const text = Buffer.from(document).toString('utf8')
  const filled = text
    .replace('<base href="/" />', () => `<base href="${escapeHtml(prefix + path)}/" />`)
    .replace(/<title>[^<]*<\/title>/, () => `<title>${escapeHtml(title)}</title>`)
  return Buffer.from(filled)
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)
}
