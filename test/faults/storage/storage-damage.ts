import { statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { createLogger } from '@narthex/service/logger'
import { HeadChunkError } from '@narthex/tsdb/head-chunks/head-chunk-format'
import { BlockShelf } from '@narthex/tsdb/select/block-shelf'
import { HeadReader } from '@narthex/tsdb/select/head-reader'
import { MergedQueryable } from '@narthex/tsdb/select/merged-queryable'
import { openStore } from '@narthex/tsdb/open-store'
import type { Store } from '@narthex/tsdb/store'
import { makeTemporaryDirectory } from '../../kit/process.ts'
import {
  copyDirectory,
  damageChunkRangeMs,
  damageFile,
  deletedMs,
  fileKinds,
  makeKnownDirectory,
  type FileKind,
  type KnownDirectory,
} from './damage-directory.ts'
import { commitAll, createRefs, readTimes, seriesCount, type FoundTimes } from './known-series.ts'

// One file of a data directory is damaged, before or after it was opened: whatever is still served is right, what is missing lay in the
// damaged file's reach, and a line names it.

const mayBeOpen = new Set<FileKind>(['index', 'chunks', 'head-chunks'])
const trialMsMax = 5_000
const rssBytesMax = 1024 ** 3
/** Every so many trials the directory is written to and opened again. */
const againEvery = 7

export interface DamageReport {
  readonly trials: number
  readonly problems: readonly string[]
  /** By kind: trials, and those in which something was missing. */
  readonly byKind: ReadonlyMap<FileKind, { readonly trials: number; readonly losses: number }>
  readonly slowestMs: number
  readonly rssBytes: number
}

export interface DamageOptions {
  readonly trials: number
  readonly random: () => number
  readonly print: (line: string) => void
  readonly problemsMax?: number
}

export async function runStorageDamage({ trials, random, print, problemsMax = 20 }: DamageOptions): Promise<DamageReport> {
  const temporary = makeTemporaryDirectory('narthex-damage-')
  const problems: string[] = []
  const byKind = new Map<FileKind, { trials: number; losses: number }>(fileKinds.map((kind) => [kind, { trials: 0, losses: 0 }]))
  let slowestMs = 0
  let rssBytes = 0
  try {
    const known = await makeKnownDirectory(join(temporary.path, 'whole'))
    for (const kind of fileKinds) if (known.files.get(kind) === undefined) throw new Error(`the directory has no file of kind ${kind}`)
    for (let i = 0; i < trials && problems.length < problemsMax; i++) {
      const kind = fileKinds[i % fileKinds.length]!
      const trial = new Trial(known, join(temporary.path, 'damaged'), kind, random)
      const startedMs = performance.now()
      try {
        await trial.run(i % againEvery === 0)
      } catch (error) {
        const reason = error instanceof Error ? `${error.message}\n${error.stack?.split('\n').slice(1, 6).join('\n')}` : String(error)
        problems.push(`trial ${i}, ${trial.what}: ${reason}`)
        print(`${problems.at(-1)}\n${trial.lines.join('')}`)
      } finally {
        await trial.close()
      }
      const tookMs = performance.now() - startedMs
      if (tookMs > trialMsMax) {
        problems.push(`trial ${i}, ${trial.what}: took ${tookMs.toFixed(0)} ms, want at most ${trialMsMax}`)
        print(problems.at(-1)!)
      }
      slowestMs = Math.max(slowestMs, tookMs)
      const count = byKind.get(kind)!
      count.trials++
      if (trial.missing > 0) count.losses++
      if (i % 100 === 0) rssBytes = Math.max(rssBytes, process.memoryUsage.rss())
    }
    if (rssBytes > rssBytesMax) problems.push(`the process has ${rssBytes} bytes`)
    return { trials, problems, byKind, slowestMs, rssBytes }
  } finally {
    temporary.remove()
  }
}

class Trial {
  readonly lines: string[] = []
  what = ''
  missing = 0
  readonly #known: KnownDirectory
  readonly #directory: string
  readonly #kind: FileKind
  readonly #random: () => number
  readonly #file: string
  #store: Store | undefined
  #shelf: BlockShelf | undefined

  constructor(known: KnownDirectory, directory: string, kind: FileKind, random: () => number) {
    this.#known = known
    this.#directory = directory
    this.#kind = kind
    this.#random = random
    const files = known.files.get(kind)!
    this.#file = files[Math.floor(random() * files.length)]!
  }

  async run(opensAgain: boolean): Promise<void> {
    copyDirectory(this.#known.path, this.#directory)
    const isOpenBefore = mayBeOpen.has(this.#kind) && this.#random() < 0.4
    if (isOpenBefore) this.#open()
    this.what = `${this.#file}${isOpenBefore ? ' while open' : ''}: ${damageFile(join(this.#directory, this.#file), this.#random)}`
    if (!isOpenBefore) this.#open()
    const found = this.#tryToRead(isOpenBefore)
    if (found === undefined) return
    this.#judge(found)
    // What an open file's pages had before the damage is still served, and not after the next start.
    if (!opensAgain || isOpenBefore) return
    const laterMs = this.#known.timesMs.at(-1)! + 1
    commitAll(this.#store!, createRefs(this.#store!), laterMs)
    await this.close()
    this.#open()
    const again = this.#read()
    for (let series = 0; series < seriesCount; series++) {
      const times = again.get(series) ?? new Set()
      if (!times.has(laterMs)) throw new Error(`a sample that was written after the damage is missing: series ${series}`)
      const before = found.get(series) ?? new Set()
      if ([...before].some((timeMs) => !times.has(timeMs)))
        throw new Error(`the second start misses samples of series ${series} that the first had`)
    }
  }

  async close(): Promise<void> {
    this.#shelf?.close()
    this.#shelf = undefined
    await this.#store?.close()
    this.#store = undefined
  }

  #open(): void {
    this.#store = openStore({
      directory: this.#directory,
      chunkRangeMs: damageChunkRangeMs,
      retentionMs: 1e9,
      memoryBytesMax: 32 * 2 ** 20,
      keepsHeadState: false,
      log: createLogger({ write: (line) => this.lines.push(line) }),
    })
    this.#shelf = new BlockShelf(2 ** 20, (directory, reason) => this.lines.push(`${directory}: ${reason}\n`))
    this.#shelf.list(this.#store.blocks.shelf)
    // Opens them all and reads their tables.
    for (const block of this.#shelf.queryables()) block.labelNames([], -Infinity, Infinity)
  }

  /** Undefined: a file of head chunks that was damaged while it was open is named instead of what is asked; a restart reads it from the log. */
  #tryToRead(isOpenBefore: boolean): FoundTimes | undefined {
    try {
      return this.#read()
    } catch (error) {
      if (!isOpenBefore || !(error instanceof HeadChunkError) || !error.message.includes(this.#file)) throw error
      return undefined
    }
  }

  #read(): FoundTimes {
    const store = this.#store!
    const descriptor = store.head.descriptor()
    try {
      return readTimes(new MergedQueryable([...this.#shelf!.queryables(), new HeadReader(descriptor)]))
    } finally {
      store.head.releaseReader(descriptor)
    }
  }

  #judge(found: FoundTimes): void {
    const [first, last] = this.#reach()
    for (let series = 0; series < seriesCount; series++) {
      const times = found.get(series)
      for (const timeMs of this.#known.timesMs) {
        const isDeleted = series === deletedMs.series && timeMs >= deletedMs.first && timeMs <= deletedMs.last
        const isThere = times?.has(timeMs) === true
        if (isDeleted && isThere) throw new Error(`a deleted sample is there: series ${series} at ${timeMs}`)
        if (isDeleted || isThere) continue
        this.missing++
        if (timeMs < first || timeMs > last) throw new Error(`a sample out of its reach is missing: series ${series} at ${timeMs}`)
      }
      for (const timeMs of times ?? []) {
        if (timeMs % 2 !== 1 || timeMs < 7 || timeMs > this.#known.timesMs.at(-1)!) throw new Error(`a sample nobody wrote: ${timeMs}`)
      }
    }
    if (this.missing > 0 && !this.#isNamed() && !this.#isCutCleanly())
      throw new Error(`${this.missing} samples are missing, and nothing says so`)
  }

  /** Times that may be missing. */
  #reach(): readonly [number, number] {
    const { ranges } = this.#known
    if (this.#kind === 'lock' || this.#kind === 'head-chunks') return [Infinity, -Infinity]
    if (this.#kind === 'segment') return ranges.get(this.#file) ?? [Infinity, -Infinity]
    // It has the series of what follows.
    if (this.#kind === 'checkpoint')
      return [Math.max(...[...ranges].filter(([name]) => !name.includes('/')).map(([, range]) => range[1])), Infinity]
    return ranges.get(this.#file.split('/')[0]!) ?? [Infinity, -Infinity]
  }

  #isNamed(): boolean {
    const name =
      this.#kind === 'segment' ? this.#file : this.#kind === 'checkpoint' ? basename(dirname(this.#file)) : this.#file.split('/')[0]!
    return this.lines.some((line) => line.includes(name) && !line.includes('level=INFO'))
  }

  /** Cut off between two records: no reader can tell that there were more. */
  #isCutCleanly(): boolean {
    const { size } = statSync(join(this.#directory, this.#file))
    return this.what.includes(': cut to ') && this.#known.boundaries.get(this.#file)?.has(size) === true
  }
}
