import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { silentLogger } from '@narthex/service/logger'
import { BlockReader } from '../block/block-reader.ts'
import { PageCache } from '../block/page-cache.ts'
import { BlockShelf } from '../select/block-shelf.ts'
import { HeadReader } from '../select/head-reader.ts'
import { MergedQueryable } from '../select/merged-queryable.ts'
import { openStore } from '../open-store.ts'
import {
  crashChunkRangeMs,
  crashDeleted,
  crashDeletedName,
  crashDeleting,
  crashLateMs,
  crashLateName,
  crashRetentionMs,
  crashSeries,
} from './compactor.test-shape.ts'

const kills = Number(process.env['NARTHEX_KILLS'] ?? 8)
/** Of a writer before it is killed; the more, the more often it is in the middle of a merge, a deletion or a snapshot. */
const workMsMax = 1500
const seed = Number(process.env['NARTHEX_SEED'] ?? 1)
const run = promisify(execFile)

/** What a writer has said: the last time that it acknowledged, up to which it has deleted for sure, and perhaps; -1 = nothing. */
interface Said {
  readonly ackedMs: number
  readonly deletedMs: number
  readonly deletingMs: number
}

/** Lets a writer go on from `firstMs` and kills it after `ms` of work. */
async function writeAndKill(directory: string, firstMs: number, ms: number): Promise<Said> {
  const script = fileURLToPath(new URL('./compactor.test-writer.ts', import.meta.url))
  const child = spawn(process.execPath, [script, directory, String(firstMs)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (data: Buffer) => (output += data.toString()))
  await once(child.stdout, 'data')
  await new Promise((resolve) => setTimeout(resolve, ms))
  child.kill('SIGKILL')
  await once(child, 'close')
  const lines = output.slice(0, output.lastIndexOf('\n')).split('\n')
  const last = (start: string): number => {
    const line = lines.findLast((each) => each.startsWith(start) && /\d/.test(each[start.length] ?? ''))
    return line === undefined ? -1 : Number(line.slice(start.length))
  }
  return { ackedMs: last(''), deletedMs: last(`${crashDeleted} `), deletingMs: last(`${crashDeleting} `) }
}

/** What blocks and log together have of each series: all that was acknowledged and is not too old. Gives the times of the oldest sample and of the oldest that must be there. */
async function check(directory: string, { ackedMs, deletedMs, deletingMs }: Said): Promise<{ firstMs: number; mustBeMs: number }> {
  const options = { chunkRangeMs: crashChunkRangeMs, retentionMs: crashRetentionMs, memoryBytesMax: 64 * 2 ** 20 }
  const store = openStore({ directory, ...options, log: silentLogger })
  const descriptor = store.head.descriptor()
  const broken: string[] = []
  const shelf = new BlockShelf(2 ** 20, (path, reason) => broken.push(`${path}: ${reason}`))
  shelf.list(store.blocks.shelf)
  let series = 0
  let firstMs = 0
  let mustBeMs = 0
  const head = new HeadReader(descriptor)
  head.deletions = store.head.deletions.view
  const merged = new MergedQueryable([...shelf.queryables(), head])
  for (const set = merged.select([new Matcher('=', '__name__', 'm')], -Infinity, Infinity); set.next(); series++) {
    const columns = new SampleColumns()
    set.samples(columns)
    // Time and value are the same; what was not acknowledged any more may be there as well. Where retention may have been, blocks are gone or not.
    const { length, times, values } = columns
    const lastMs = times[length - 1]!
    expect(lastMs).toBeGreaterThanOrEqual(ackedMs)
    firstMs = times[0]!
    mustBeMs = Math.max(0, lastMs + 1 - crashRetentionMs)
    const from = times.findIndex((timeMs) => timeMs >= mustBeMs)
    for (let i = 0; i < length; i++) {
      const isInPlace = i < from ? i === 0 || times[i]! > times[i - 1]! : times[i] === mustBeMs + i - from
      if (!isInPlace || values[i] !== times[i]) expect([i, times[i], values[i]]).toEqual([i, mustBeMs + i - from, times[i]])
    }
  }
  expect([series, broken]).toEqual([crashSeries, []])
  const deleted = new SampleColumns()
  const set = merged.select([new Matcher('=', '__name__', crashDeletedName)], -Infinity, Infinity)
  if (set.next()) set.samples(deleted)
  const times = deleted.times.subarray(0, deleted.length)
  // Everything behind what may be deleted is there, each once, and nothing up to what is.
  expect(Array.from(times.filter((time) => time <= deletedMs))).toEqual([])
  const goneMs = Math.max(deletingMs, mustBeMs - 1)
  const kept = times.filter((time) => time > goneMs && time <= ackedMs)
  expect([kept.length, new Set(kept).size]).toEqual([ackedMs - goneMs, kept.length])
  checkLate(merged, ackedMs, mustBeMs)
  shelf.close()
  await store.close()
  return { firstMs, mustBeMs }
}

/** All even times from `mustBeMs` on are there, and all odd ones that were sent by then, each once. */
function checkLate(merged: MergedQueryable, ackedMs: number, mustBeMs: number): void {
  const columns = new SampleColumns()
  const set = merged.select([new Matcher('=', '__name__', crashLateName)], -Infinity, Infinity)
  if (set.next()) set.samples(columns)
  const times = columns.times.subarray(0, columns.length)
  for (let i = 0; i < times.length; i++) if (columns.values[i] !== times[i]) expect(columns.values[i]).toBe(times[i])
  expect(new Set(times).size).toBe(times.length)
  const lastLateMs = ackedMs - (ackedMs % 2) - crashLateMs
  const even = Math.floor(ackedMs / 2) - Math.ceil(mustBeMs / 2) + 1
  const odd = Math.max(0, Math.floor((lastLateMs + 1) / 2) - Math.floor(mustBeMs / 2))
  expect(times.filter((time) => time >= mustBeMs && (time % 2 === 0 ? time <= ackedMs : time <= lastLateMs)).length).toBe(even + odd)
}

/** Those of snapshots that are whole: that were made and not interrupted. */
function blocksOfSnapshots(directory: string): string[] {
  const snapshots = join(directory, 'snapshots')
  const whole = existsSync(snapshots) ? readdirSync(snapshots).filter((name) => !name.endsWith('.tmp')) : []
  return whole.flatMap((name) => readdirSync(join(snapshots, name)).map((block) => join(snapshots, name, block)))
}

function verifyBlock(directory: string): unknown[] {
  const block = BlockReader.open(directory, new PageCache())
  try {
    return block.verify()
  } finally {
    block.close()
  }
}

function random(state: { seed: number }): number {
  state.seed = (Math.imul(state.seed, 1664525) + 1013904223) >>> 0
  return state.seed / 2 ** 32
}

test(
  `${kills} SIGKILLs while blocks are cut, merged, deleted from and dropped: every acknowledged sample is there, once, and none that was deleted`,
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'narthex-crash-'))
    const state = { seed }
    let oldest = { firstMs: 0, mustBeMs: 0 }
    let said: Said = { ackedMs: -1, deletedMs: -1, deletingMs: -1 }
    try {
      for (let i = 0; i < kills; i++) {
        // A new time each, so that a sample that was written and not acknowledged is not written again with another value.
        const { ackedMs, deletedMs, deletingMs } = await writeAndKill(directory, said.ackedMs + 1, random(state) * workMsMax)
        said = {
          ackedMs: Math.max(said.ackedMs, ackedMs),
          deletedMs: Math.max(said.deletedMs, deletedMs),
          deletingMs: Math.max(said.deletingMs, deletingMs),
        }
        oldest = await check(directory, said)
      }
      for (const block of blocksOfSnapshots(directory)) expect(verifyBlock(block)).toEqual([])
      expect(readdirSync(directory).length).toBeGreaterThan(3)
      const { stdout } = await run('promtool', ['tsdb', 'dump', '--match={i="3"}', directory], { maxBuffer: 2 ** 28 })
      expect(stdout.trim().split('\n').length).toBeGreaterThan(said.ackedMs - oldest.mustBeMs)
      if (kills >= 100) expect(oldest.firstMs).toBeGreaterThan(0)
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
  kills * 10_000 + 10_000,
)
