import type { FastifyInstance } from 'fastify'

interface KnownPath {
  readonly pattern: RegExp
  readonly methods: Set<string>
}

/**
 * Answers what no route takes as Go's servers of the family do, in plain text: 404, or 405 with `Allow` where the path has routes for other methods,
 * HEAD included; OPTIONS is answered with `Allow` alone. A path that is not in its plainest form (`//api/v1/query`, `/api/./v1/query`) is sent to that form.
 * To be called before routes are added.
 */
export function answerWithoutRoute(app: FastifyInstance): void {
  const paths = new Map<string, KnownPath>()
  app.addHook('onRoute', ({ url, method }) => {
    let path = paths.get(url)
    if (path === undefined) {
      path = { pattern: patternOf(url), methods: new Set() }
      paths.set(url, path)
    }
    // OPTIONS goes without saying.
    for (const one of [method].flat()) if (one !== 'OPTIONS') path.methods.add(one)
  })
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0]!
    const plainPath = cleanPath(path)
    // 308: a form is sent again as the form that it is; Go's 301 makes it a GET without one.
    if (plainPath !== path) {
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      return reply.redirect(plainPath + request.url.slice(path.length), isRead ? 301 : 308)
    }
    const allowed = new Set<string>()
    for (const { pattern, methods } of paths.values()) if (pattern.test(path)) for (const method of methods) allowed.add(method)
    // As Go's `http.Error`.
    const answer = reply.type('text/plain; charset=utf-8').header('x-content-type-options', 'nosniff')
    if (allowed.size === 0 || allowed.has(request.method)) return answer.code(404).send('404 page not found\n')
    answer.header('allow', [...allowed, 'OPTIONS'].sort().join(', '))
    if (request.method === 'OPTIONS') return answer.removeHeader('content-type').removeHeader('x-content-type-options').code(200).send()
    return answer.code(405).send('Method Not Allowed\n')
  })
}

/** Without empty parts, `.` and `..`; begins with one slash alone, so that it is a path of this server. */
function cleanPath(path: string): string {
  if (!path.startsWith('/')) return path
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '' && part !== '.') parts.push(part)
  }
  const isOpen = /\/\.{0,2}$/.test(path) && parts.length > 0
  const plain = `/${parts.join('/')}${isOpen ? '/' : ''}`
  // Browsers take a backslash for a slash.
  return plain === path ? path : plain.replaceAll('\\', '%5C')
}

/** `/api/:name/*`: a parameter is one part of the path, a star all the rest. */
function patternOf(url: string): RegExp {
  const parts = url.split('/').map((part) => {
    if (part.startsWith(':')) return '[^/]+'
    return part === '*' ? '.*' : part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('/')}$`)
}
