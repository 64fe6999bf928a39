import { readFileSync, readdirSync, rmSync } from 'node:fs'
import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory } from '@narthex/service/make-directory'
import { syncDirectory } from '@narthex/service/sync-directory'

/** Where a record of the write-ahead log begins. */
export interface LogPlace {
  /** Number of the segment. */
  readonly segment: number
  readonly offset: number
}

export function isBefore(a: LogPlace, b: LogPlace): boolean {
  return a.segment < b.segment || (a.segment === b.segment && a.offset < b.offset)
}

const suffix = '.place'

/** How far each remote is in the log: one small file per remote, `{"version":1,"remote":…,"segment":…,"offset":…}`. */
export class PlaceFiles {
  readonly #directory: string
  #isMade = false

  /** The directory is made with the first place. */
  constructor(directory: string) {
    this.#directory = directory
  }

  /** All places by remote. A file that is not one is left alone and told to `onProblem`. */
  readAll(onProblem: (text: string) => void): Map<string, LogPlace> {
    const places = new Map<string, LogPlace>()
    for (const name of listPlaceFiles(this.#directory)) {
      const path = join(this.#directory, name)
      const stored = readPlace(readFileSync(path, 'utf8'))
      if (stored === undefined) onProblem(`cannot read place ${path}: want {"version":1,"remote":…,"segment":…,"offset":…}`)
      else places.set(stored.remote, stored.place)
    }
    return places
  }

  /** Replaces the place of `remote`; when the promise resolves it survives a power cut. One call at a time per remote. */
  async write(remote: string, { segment, offset }: LogPlace): Promise<void> {
    if (!this.#isMade) makeDirectory(this.#directory)
    this.#isMade = true
    const path = this.#path(remote)
    const file = await open(`${path}.tmp`, 'w')
    try {
      await file.writeFile(JSON.stringify({ version: 1, remote, segment, offset }) + '\n')
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.tmp`, path)
    await syncDirectory(this.#directory)
  }

  remove(remote: string): void {
    rmSync(this.#path(remote), { force: true })
  }

  #path(remote: string): string {
    return join(this.#directory, encodeURIComponent(remote).slice(0, 200) + suffix)
  }
}

function listPlaceFiles(directory: string): string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith(suffix))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}

function readPlace(text: string): { remote: string; place: LogPlace } | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined
  const { version, remote, segment, offset } = parsed as Readonly<Record<string, unknown>>
  if (version !== 1 || typeof remote !== 'string' || !isCount(segment) || !isCount(offset)) return undefined
  return { remote, place: { segment, offset } }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}
