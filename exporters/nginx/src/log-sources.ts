import type { Logger } from '@narthex/service/logger'
import { glob } from 'node:fs/promises'

/** Files that are followed at once. */
export const filesMax = 256

/** A log, or a pattern of several. */
export interface LogSource {
  readonly pattern: string
  /** Value of the label host where a line names none. */
  readonly host: string
}

export interface LogPath {
  readonly path: string
  readonly host: string
}

/** Reads `/path`, `/path/*access.log` and `HOST=/path`. Throws one clear line. */
export function parseLogSource(text: string): LogSource {
  const match = /^(?:([^/=*]+)=)?(.+)$/s.exec(text)
  if (match === null) throw new Error(`cannot use flag --nginx.access-log: want PATH or HOST=PATH, got ${JSON.stringify(text)}`)
  return { host: match[1] ?? '', pattern: match[2]! }
}

/** The files of all sources, each once. A path without wildcards is there whether the file is or not: it may come. */
export async function findLogFiles(sources: readonly LogSource[], log: Logger): Promise<LogPath[]> {
  const found = new Map<string, LogPath>()
  for (const { host, pattern } of sources) {
    const paths = /[*?[{]/.test(pattern) ? await findMatches(pattern) : [pattern]
    for (const path of paths) {
      if (found.has(path)) continue
      if (found.size >= filesMax) {
        log.warn(`access log: more than ${filesMax} files; the rest is left out`, { pattern })
        return [...found.values()]
      }
      found.set(path, { path, host })
    }
  }
  return [...found.values()]
}

async function findMatches(pattern: string): Promise<string[]> {
  const paths: string[] = []
  try {
    for await (const path of glob(pattern)) paths.push(path)
  } catch {
    // A directory that cannot be read has no files.
  }
  return paths.sort()
}
