import { readdir } from 'node:fs/promises'

/** Paths that one pattern may stand for; further ones are left out. */
const matchesMax = 10_000

/**
 * The paths that a pattern of Go's filepath.Glob stands for: `*`, `?`, `[abc]` and `\` within a path segment. A pattern without matches
 * gives itself, so that the caller's attempt to read it names the problem.
 */
export async function globDirectories(pattern: string): Promise<string[]> {
  if (!/[*?[\\]/.test(pattern)) return [pattern]
  let paths = [pattern.startsWith('/') ? '/' : '']
  for (const segment of pattern.split('/').filter((part) => part !== '')) {
    const next: string[] = []
    for (const path of paths) {
      if (!/[*?[\\]/.test(segment)) {
        next.push(path + segment + '/')
        continue
      }
      const wanted = compileSegment(segment)
      if (wanted === undefined) return [pattern]
      for (const name of await listNames(path === '' ? '.' : path)) {
        if (wanted.test(name) && next.length < matchesMax) next.push(`${path}${name}/`)
      }
    }
    paths = next
  }
  return paths.length === 0 ? [pattern] : paths.map((path) => (path === '/' ? path : path.slice(0, -1)))
}

async function listNames(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).sort()
  } catch {
    return []
  }
}

// The result has no nested repetition over the same characters, so JavaScript's engine stays linear enough for file names.
function compileSegment(segment: string): RegExp | undefined {
  let source = ''
  for (let i = 0; i < segment.length; i++) {
    const character = segment[i]!
    if (character === '*') source += '[^/]*'
    else if (character === '?') source += '[^/]'
    else if (character === '[') {
      const end = segment.indexOf(']', i + 2)
      if (end < 0) return undefined
      const isNegated = segment[i + 1] === '^'
      source += `[${isNegated ? '^' : ''}${segment.slice(i + (isNegated ? 2 : 1), end).replace(/[[\]^]/g, '\\$&')}]`
      i = end
    } else source += (character === '\\' ? (segment[++i] ?? '') : character).replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
  }
  return new RegExp(`^${source.replace(/(?:\[\^\/\]\*)+/g, '[^/]*')}$`, 's')
}
