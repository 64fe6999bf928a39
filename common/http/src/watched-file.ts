import { readFile, stat } from 'node:fs/promises'

const checkIntervalMs = 1_000
/** A credential or certificate file longer than this is refused. */
const fileBytesMax = 4 * 2 ** 20

/** A small file that may change: read when asked for, looked at again at most once a second. */
export class WatchedFile {
  readonly path: string
  readonly #now: () => number
  #stamp = ''
  #content: Buffer | undefined
  #checkedMs = -Infinity
  #pending: Promise<Buffer> | undefined

  constructor(path: string, now: () => number = Date.now) {
    this.path = path
    this.#now = now
  }

  /** Changes each time the content was read anew. */
  get stamp(): string {
    return this.#stamp
  }

  async read(): Promise<Buffer> {
    if (this.#content !== undefined && this.#now() - this.#checkedMs < checkIntervalMs) return this.#content
    this.#pending ??= this.#reload().finally(() => (this.#pending = undefined))
    return this.#pending
  }

  /** The content as text without surrounding white space, as Prometheus reads secrets. */
  async readText(): Promise<string> {
    return (await this.read()).toString('utf8').trim()
  }

  async #reload(): Promise<Buffer> {
    try {
      const { mtimeMs, size, ino } = await stat(this.path)
      const stamp = `${mtimeMs} ${size} ${ino}`
      if (this.#content === undefined || stamp !== this.#stamp) {
        if (size > fileBytesMax) throw new Error(`want at most ${fileBytesMax} bytes, got ${size}`)
        this.#content = await readFile(this.path)
        this.#stamp = stamp
      }
      this.#checkedMs = this.#now()
      return this.#content
    } catch (error) {
      this.#content = undefined
      throw new Error(`unable to read file ${this.path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
}
