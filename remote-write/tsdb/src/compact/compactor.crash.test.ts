import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { silentLogger } from '@narthex/service/logger'
import { BlockShelf } from '../select/block-shelf.ts'
import { HeadReader } from '../select/head-reader.ts'
import { MergedQueryable } from '../select/merged-queryable.ts'
import { openStore } from '../store.ts'
import { crashChunkRangeMs, crashSeries } from './compactor.test-shape.ts'

const kills = Number(process.env['NARTHEX_KILLS'] ?? 8)
const seed = Number(process.env['NARTHEX_SEED'] ?? 1)
const run = promisify(execFile)

/** Lets a writer go on from `firstMs`, kills it after `ms` of work and gives the last time that it acknowledged. */
async function writeAndKill(directory: string, firstMs: number, ms: number): Promise<number> {
  const script = fileURLToPath(new URL('./compactor.test-writer.ts', import.meta.url))
  const child = spawn(process.execPath, [script, directory, String(firstMs)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (data: Buffer) => (output = (output + data.toString()).slice(-64)))
  await once(child.stdout, 'data')
  await new Promise((resolve) => setTimeout(resolve, ms))
  child.kill('SIGKILL')
  await once(child, 'close')
  return Number(output.split('\n').at(-2))
}

/** What blocks and log together have of each series: as many samples, and the last one's time. */
async function check(directory: string, ackedMs: number): Promise<void> {
  const store = openStore({ directory, chunkRangeMs: crashChunkRangeMs, retentionMs: 1e9, memoryBytesMax: 64 * 2 ** 20, log: silentLogger })
  const descriptor = store.head.descriptor()
  const broken: string[] = []
  const shelf = new BlockShelf(2 ** 20, (path, reason) => broken.push(`${path}: ${reason}`))
  shelf.list(store.blocks.shelf)
  let series = 0
  const merged = new MergedQueryable([...shelf.queryables(), new HeadReader(descriptor)])
  for (const set = merged.select([new Matcher('=', '__name__', 'm')], -Infinity, Infinity); set.next(); series++) {
    const columns = new SampleColumns()
    set.samples(columns)
    // Time and value are the same, from 0 on without a gap; what was not acknowledged any more may be there as well.
    for (let i = 0; i < columns.length; i++)
      if (columns.times[i] !== i || columns.values[i] !== i) expect([columns.times[i], columns.values[i]]).toEqual([i, i])
    expect(columns.length).toBeGreaterThan(ackedMs)
  }
  expect([series, broken]).toEqual([crashSeries, []])
  shelf.close()
  await store.close()
}

function random(state: { seed: number }): number {
  state.seed = (Math.imul(state.seed, 1664525) + 1013904223) >>> 0
  return state.seed / 2 ** 32
}

test(
  `${kills} SIGKILLs while blocks are cut and merged: every acknowledged sample is there, once`,
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'narthex-crash-'))
    const state = { seed }
    let ackedMs = -1
    try {
      for (let i = 0; i < kills; i++) {
        // A new time each, so that a sample that was written and not acknowledged is not written again with another value.
        ackedMs = Math.max(ackedMs, await writeAndKill(directory, ackedMs + 1, random(state) * 1500))
        await check(directory, ackedMs)
      }
      expect(readdirSync(directory).length).toBeGreaterThan(3)
      const { stdout } = await run('promtool', ['tsdb', 'dump', '--match={i="3"}', directory], { maxBuffer: 2 ** 28 })
      expect(stdout.trim().split('\n').length).toBeGreaterThan(ackedMs)
    } catch (error) {
      throw new Error(`seed ${seed}: ${String(error)}`, { cause: error })
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  },
  kills * 10_000 + 10_000,
)
