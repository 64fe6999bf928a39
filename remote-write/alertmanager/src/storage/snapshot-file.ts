import type { Clock } from '@narthex/service/clock'
import type { Logger } from '@narthex/service/logger'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** How long a change may stay unsaved. */
const saveDelayMs = 1000

export interface SnapshotFileOptions {
  readonly path: string
  readonly clock: Clock
  readonly log: Logger
  /** The whole content as of now. */
  readonly encode: () => Uint8Array
  /** Told after each save. */
  readonly saved: (bytes: number, durationMs: number) => void
}

/** A small file that is replaced as a whole: written beside, synced, renamed, so that a crash leaves the old or the new one. */
export class SnapshotFile {
  readonly #options: SnapshotFileOptions
  #cancelTimer: (() => void) | undefined
  #saving: Promise<void> = Promise.resolve()
  #isDirty = false

  constructor(options: SnapshotFileOptions) {
    this.#options = options
  }

  /** The content, or undefined if there is no file yet. Rejects on any other trouble. */
  async read(): Promise<Uint8Array | undefined> {
    try {
      return await readFile(this.#options.path)
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
      throw new Error(`cannot read ${this.#options.path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }

  /** Says that the content changed; it is saved within a second. */
  markDirty(): void {
    this.#isDirty = true
    this.#cancelTimer ??= this.#options.clock.setTimer(() => {
      this.#cancelTimer = undefined
      void this.save()
    }, saveDelayMs)
  }

  /** Saves what is unsaved. A failure is logged and tried again at the next change or save. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#saveIfDirty())
    return this.#saving
  }

  /** Saves and ends the timer. */
  async close(): Promise<void> {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    await this.save()
  }

  async #saveIfDirty(): Promise<void> {
    if (!this.#isDirty) return
    this.#isDirty = false
    const { path, clock, log, encode, saved } = this.#options
    const startMs = clock.now()
    try {
      const content = encode()
      await writeAtomically(path, content)
      saved(content.length, clock.now() - startMs)
    } catch (error) {
      this.#isDirty = true
      log.error('Saving snapshot failed', { path, err: error })
    }
  }
}

async function writeAtomically(path: string, content: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.tmp`
  const file = await open(temporary, 'w')
  try {
    await file.writeFile(content)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(temporary, path)
}
