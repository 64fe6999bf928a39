import { extname } from 'node:path'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { readAsset } from '@narthex/service/asset'

// The browser pages: one document for every page path (the browser routes), and its assets, whose names carry a hash.

const pagePaths = [
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

/** Adds the page routes. `prefix` is the route prefix ('' or '/narthex'), which becomes the document's base address. */
export function registerPages(server: FastifyInstance, prefix = ''): void {
  const cache = new Map<string, CachedAsset>()
  const find = (path: string): CachedAsset | undefined => {
    let asset = cache.get(path)
    if (asset) return asset
    const bytes = readAsset(`web/${path}`)
    if (!bytes) return undefined
    asset = { plain: path === 'index.html' ? withBase(bytes, prefix) : bytes, zipped: undefined }
    cache.set(path, asset)
    return asset
  }
  for (const path of pagePaths) {
    server.get(path === '/' ? `${prefix}/` : prefix + path, (request, reply) => {
      const page = find('index.html')
      if (!page)
        return reply.code(503).type('text/plain; charset=utf-8').send('cannot show the page: the pages are not built, run npm run build\n')
      void reply.header('Content-Security-Policy', contentSecurityPolicy).header('Cache-Control', 'no-cache')
      return sendAsset(request, reply, page, 'index.html')
    })
  }
  server.get(`${prefix}/assets/*`, (request, reply) => {
    const path = `assets/${(request.params as { '*': string })['*']}`
    const asset = find(path)
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

function withBase(document: Uint8Array, prefix: string): Uint8Array {
  return Buffer.from(Buffer.from(document).toString('utf8').replace('<base href="/" />', `<base href="${prefix}/" />`))
}
