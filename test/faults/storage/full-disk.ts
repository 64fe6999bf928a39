import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Matcher } from '@narthex/model/matcher'
import { createLogger } from '@narthex/service/logger'
import { DiskFullError } from '@narthex/tsdb/disk-guard'
import { openStore } from '@narthex/tsdb/open-store'
import type { Store } from '@narthex/tsdb/store'
import { makeTemporaryDirectory } from '../../kit/process.ts'
import { commitAll, countMissing, createRefs, dumpByPromtool, readAll } from './known-series.ts'
import { mountSmallDisk, type SmallDisk } from './small-disk.ts'

// The disk gets full in the middle of whatever the storage does: nothing acknowledged is missing, nothing is damaged, and writes are
// taken again when there is room.

const chunkRangeMs = 600
const reserveBytes = 128 * 1024
const resumeMsMax = 10_000
/** What the deletion deletes, of all series; the first block has it. */
const deletedMs = { first: 100, last: 199 }

/** What is under way when the disk gets full. */
export const phases = ['ingest', 'cut', 'merge', 'checkpoint', 'deletion', 'retention', 'start'] as const
export type Phase = (typeof phases)[number]

export interface FullDiskOptions {
  readonly rounds: number
  readonly random: () => number
  readonly print: (line: string) => void
}

export interface FullDiskReport {
  readonly rounds: number
  readonly problems: readonly string[]
  readonly resumeMsWorst: number
  /** Rounds by phase in which something failed for want of room. */
  readonly hits: ReadonlyMap<Phase, number>
}

/** Throws where no file system can be mounted. */
export async function runFullDisk({ rounds, random, print }: FullDiskOptions): Promise<FullDiskReport> {
  const problems: string[] = []
  const hits = new Map<Phase, number>()
  let resumeMsWorst = 0
  const firstPhase = Math.floor(random() * phases.length)
  for (let i = 0; i < rounds; i++) {
    const phase = phases[(firstPhase + i) % phases.length]!
    const disk = mountSmallDisk(24)
    const round = new Round(disk, phase, random)
    try {
      await round.run()
      resumeMsWorst = Math.max(resumeMsWorst, round.resumeMs)
      if (round.wasHit) hits.set(phase, (hits.get(phase) ?? 0) + 1)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      problems.push(`round ${i}, ${phase}: ${reason}`)
      print(`${problems.at(-1)}\n${round.lines.slice(-4).join('')}`)
    } finally {
      await round.close()
      disk.remove()
    }
  }
  return { rounds, problems, resumeMsWorst, hits }
}

class Round {
  readonly lines: string[] = []
  wasHit = false
  resumeMs = 0
  readonly #disk: SmallDisk
  readonly #directory: string
  readonly #phase: Phase
  readonly #random: () => number
  readonly #acknowledged: number[] = []
  #store: Store | undefined
  #refs: readonly number[] = []
  #timeMs = 0
  #isDeleted = false

  constructor(disk: SmallDisk, phase: Phase, random: () => number) {
    this.#disk = disk
    this.#directory = join(disk.path, 'data')
    this.#phase = phase
    this.#random = random
  }

  async run(): Promise<void> {
    this.#open(this.#directory)
    // Blocks of one range, so that there is something to merge, and to be rid of.
    await this.#write(5.4 * chunkRangeMs)
    await this.#store!.disk.check()
    if (this.#store!.disk.reserve.missingBytes > 0) throw new Error('the reserve is not written')
    await this.#getFull()
    await this.#checkWhileFull()
    await this.#resume()
    if (this.#phase === 'deletion') await this.#delete()
    await this.#write(2.2 * chunkRangeMs)
    await this.close()
    this.#open(this.#directory)
    this.#check('after all of it')
    this.#checkTemporary()
    await this.close()
    this.#checkPromtool(this.#directory)
  }

  async close(): Promise<void> {
    await this.#store?.close()
    this.#store = undefined
  }

  #open(directory: string): void {
    this.#store = openStore({
      directory,
      chunkRangeMs,
      maxBlockRangeMs: 9 * chunkRangeMs,
      retentionMs: this.#phase === 'retention' ? 4 * chunkRangeMs : 1e9,
      memoryBytesMax: 32 * 2 ** 20,
      diskReserveBytes: reserveBytes,
      log: createLogger({ write: (line) => this.lines.push(line) }),
    })
    this.#refs = createRefs(this.#store)
  }

  /** Goes on for so long a time of samples, with a compaction every half range. */
  async #write(spanMs: number, compacts = true): Promise<void> {
    const store = this.#store!
    for (const endMs = this.#timeMs + spanMs; this.#timeMs < endMs; this.#timeMs++) {
      this.#commit()
      if (compacts && this.#timeMs % (chunkRangeMs / 2) === 0) await store.compactor.run()
    }
  }

  /** Whether it was acknowledged. */
  #commit(): boolean {
    try {
      commitAll(this.#store!, this.#refs, this.#timeMs)
      this.#acknowledged.push(this.#timeMs)
      return true
    } catch (error) {
      if (!(error instanceof DiskFullError)) throw error
      this.wasHit = true
      return false
    }
  }

  async #getFull(): Promise<void> {
    const store = this.#store!
    const disk = this.#disk
    if (this.#phase === 'ingest') {
      disk.fill(Math.floor(this.#random() * 64 * 1024))
      for (let i = 0; i < 2000; i++, this.#timeMs++) this.#commit()
      return
    }
    if (this.#phase === 'start') {
      await this.close()
      if (this.#random() < 0.5) disk.keepFull()
      else disk.fill(Math.floor(this.#random() * 8192))
      this.#tryToOpen()
      return
    }
    if (this.#phase === 'deletion') {
      if (this.#random() < 0.5) disk.keepFull()
      else disk.fill(Math.floor(this.#random() * 4096))
      await this.#delete().catch((error: unknown) => {
        if (!/ENOSPC|no room/.test(String(error))) throw error
        this.wasHit = true
      })
      return
    }
    // Enough for a head block; for a merge several of them.
    await this.#write((this.#phase === 'merge' ? 4 : 1.6) * chunkRangeMs, false)
    const { counts } = store.compactor
    const failedBefore = counts.failed + counts.checkpointsFailed
    const cutsBefore = counts.cuts
    const fill = (): void => {
      if (this.#random() < 0.5) disk.keepFull()
      else disk.fill(Math.floor(this.#random() * 100 * 1024))
    }
    const running = store.compactor.run().then(() => true)
    if (this.#phase === 'checkpoint') await until(running, () => counts.cuts > cutsBefore)
    // The last cut is done: only the log and blocks that may be merged are left.
    if (this.#phase === 'merge') await until(running, () => !(store.head.memory.maxTime - store.head.memory.minTime > 1.5 * chunkRangeMs))
    fill()
    await running
    this.#timeMs++
    this.#commit()
    if (counts.failed + counts.checkpointsFailed > failedBefore) this.wasHit = true
  }

  async #delete(): Promise<void> {
    await this.#store!.admin.deleteSeries([[new Matcher('=', '__name__', 'm')]], deletedMs.first, deletedMs.last)
    this.#isDeleted = true
  }

  /** A start on a full disk works by the reserve; if another takes that too, it fails and has changed nothing. */
  #tryToOpen(): void {
    this.wasHit = true
    try {
      this.#open(this.#directory)
    } catch (error) {
      if (!/ENOSPC/.test(String(error))) throw error
      this.#disk.free()
      this.#open(this.#directory)
    }
  }

  async #checkWhileFull(): Promise<void> {
    this.#check('while the disk is full')
    // What a SIGKILL now would leave.
    const copy = makeTemporaryDirectory('narthex-full-copy-')
    const store = this.#store!
    try {
      const directory = join(copy.path, 'data')
      cpSync(this.#directory, directory, { recursive: true })
      rmSync(join(directory, 'lock'), { force: true })
      this.#checkPromtool(directory)
      this.#open(directory)
      this.#check('after a SIGKILL while the disk is full')
      await this.close()
    } finally {
      this.#store = store
      this.#refs = createRefs(store)
      copy.remove()
    }
  }

  async #resume(): Promise<void> {
    this.#disk.free()
    const freedMs = performance.now()
    this.#timeMs++
    while (!this.#commit()) {
      this.resumeMs = performance.now() - freedMs
      if (this.resumeMs > resumeMsMax) throw new Error(`writes are refused ${resumeMsMax} ms after there was room`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    this.#timeMs++
  }

  #check(when: string): void {
    const broken: string[] = []
    const found = readAll(this.#store!, (directory, reason) => broken.push(`${directory}: ${reason}`))
    if (broken.length > 0) throw new Error(`${when}: ${broken.join('; ')}`)
    const missing = countMissing(found, this.#expected())
    if (missing > 0) throw new Error(`${when}: ${missing} acknowledged samples are missing`)
    for (const times of found.values()) {
      if (this.#isDeleted && [...times].some(isInDeleted)) throw new Error(`${when}: a deleted sample is there`)
    }
  }

  #checkPromtool(directory: string): void {
    const missing = countMissing(dumpByPromtool(directory), this.#expected())
    if (missing > 0) throw new Error(`promtool misses ${missing} acknowledged samples`)
  }

  /** Of a time that no retention can have reached. */
  #expected(): number[] {
    if (this.#phase === 'deletion') return this.#acknowledged.filter((timeMs) => !isInDeleted(timeMs))
    return this.#phase === 'retention'
      ? this.#acknowledged.filter((timeMs) => timeMs > this.#timeMs - 3 * chunkRangeMs)
      : this.#acknowledged
  }

  /** Nothing that was given up half-way is left, once a compaction has gone through. */
  #checkTemporary(): void {
    const left = readdirSync(this.#directory).filter((name) => name.includes('.tmp'))
    if (left.length > 0) throw new Error(`left behind: ${left.join(', ')}`)
    if (!existsSync(join(this.#directory, 'wal'))) throw new Error('the log is gone')
  }
}

function isInDeleted(timeMs: number): boolean {
  return timeMs >= deletedMs.first && timeMs <= deletedMs.last
}

/** Looks at every turn of the loop, up to the end of what is running. */
async function until(running: Promise<boolean>, holds: () => boolean): Promise<void> {
  const turn = () => new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))
  while (!holds()) if (await Promise.race([running, turn()])) return
}
