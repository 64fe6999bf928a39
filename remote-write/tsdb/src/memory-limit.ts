import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

// cgroup v1 says "none" by the largest multiple of a page below 2^63.
const unlimitedBytes = 2 ** 60

/** One line of /proc/self/cgroup: `0::/path` is of version 2, `4:memory:/path` of version 1. */
const memberLine = /^(\d+):([^:]*):(\/.*)$/

/**
 * The memory limit of this process in bytes: the lowest of its control group and those above it, of version 1 or 2; undefined if there is none.
 * `root` is the folder that stands for `/`.
 */
export function readMemoryLimit(root = '/'): number | undefined {
  let lowest: number | undefined
  const consider = (path: string): void => {
    const bytes = readBytes(path)
    if (bytes !== undefined && (lowest === undefined || bytes < lowest)) lowest = bytes
  }
  for (const { mount, file, path } of listMemberships(root)) {
    // A container often sees its own group as the root, under the path that it has outside: then the folders of the path are missing.
    for (let folder = path; ; folder = dirname(folder)) {
      consider(join(root, mount, folder, file))
      if (folder === '/') break
    }
  }
  return lowest
}

interface Membership {
  readonly mount: string
  readonly file: string
  readonly path: string
}

function listMemberships(root: string): Membership[] {
  const found: Membership[] = []
  let text = ''
  try {
    text = readFileSync(join(root, 'proc/self/cgroup'), 'utf8')
  } catch {
    // Not Linux, or no control groups.
    return found
  }
  for (const line of text.split('\n')) {
    const [, hierarchy, controllers, path] = memberLine.exec(line) ?? []
    if (path === undefined) continue
    if (hierarchy === '0' && controllers === '') {
      found.push({ mount: 'sys/fs/cgroup', file: 'memory.max', path })
      found.push({ mount: 'sys/fs/cgroup/unified', file: 'memory.max', path })
    } else if (controllers!.split(',').includes('memory')) {
      found.push({ mount: 'sys/fs/cgroup/memory', file: 'memory.limit_in_bytes', path })
    }
  }
  return found
}

function readBytes(path: string): number | undefined {
  let text
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
  const bytes = Number(text)
  return bytes > 0 && bytes < unlimitedBytes ? bytes : undefined
}
