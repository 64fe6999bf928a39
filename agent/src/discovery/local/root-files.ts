import { constants } from 'node:fs'
import { lstat, open, readdir, readlink } from 'node:fs/promises'
import { posix } from 'node:path'

/** Links followed before a path counts as a loop, as the kernel does. */
const linksMax = 40

/**
 * The files that a process sees, through `<procfs>/<pid>/root`. An absolute link in a container would lead the kernel to this machine's own
 * file of that name, so links are followed here, within the root.
 */
export class RootFiles {
  readonly #root: string

  constructor(root: string) {
    this.#root = root.replace(/\/+$/, '')
  }

  /** The path outside of the root for a path inside of it, links followed. Throws when there is none. */
  async resolve(path: string): Promise<string> {
    let inside = '/'
    let links = 0
    const rest = path.split('/').filter((part) => part !== '')
    while (rest.length > 0) {
      const part = rest.shift()!
      if (part === '.') continue
      if (part === '..') {
        inside = posix.dirname(inside)
        continue
      }
      const next = posix.join(inside, part)
      const found = await lstat(this.#root + next)
      if (!found.isSymbolicLink()) {
        inside = next
        continue
      }
      if (++links > linksMax) throw new Error(`cannot follow ${path}: too many links`)
      const target = await readlink(this.#root + next)
      if (target.startsWith('/')) inside = '/'
      rest.unshift(...target.split('/').filter((piece) => piece !== ''))
    }
    return this.#root + inside
  }

  /** A regular file's text; throws when it is larger than `bytesMax` or is none. */
  async readText(path: string, bytesMax: number): Promise<string> {
    const outside = await this.resolve(path)
    // The last element is no link any more; should it become one now, it is refused.
    const file = await open(outside, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    try {
      const stat = await file.stat()
      if (!stat.isFile()) throw new Error(`cannot read ${path}: want a regular file`)
      const buffer = Buffer.alloc(Math.min(bytesMax + 1, stat.size + 1))
      let length = 0
      while (length < buffer.length) {
        const { bytesRead } = await file.read(buffer, length, buffer.length - length)
        if (bytesRead === 0) break
        length += bytesRead
      }
      if (length > bytesMax) throw new Error(`cannot read ${path}: want at most ${bytesMax} bytes`)
      return buffer.toString('utf8', 0, length)
    } finally {
      await file.close()
    }
  }

  /** Sorted names of a directory; throws when there is none. */
  async list(path: string): Promise<string[]> {
    return (await readdir(await this.resolve(path))).sort()
  }
}
