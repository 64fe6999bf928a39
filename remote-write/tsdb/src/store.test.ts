import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { createLogger, silentLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { DirectoryLockedError } from '@narthex/service/directory-lock'
import { defaultMemoryBytesMax } from './memory-ceiling.ts'
import { HeadReader } from './select/head-reader.ts'
import { openStore } from './open-store.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-store-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function scriptPath(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}

/** Runs a writer of `series` series on the directory, kills it after `ms` of work and gives the times it acknowledged. */
async function writeAndKill(series: number, ms: number): Promise<number[]> {
  const child = spawn(process.execPath, [scriptPath('./store.test-writer.ts'), directory, String(series)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (data: Buffer) => (output += data.toString()))
  await once(child.stdout, 'data')
  await new Promise((resolve) => setTimeout(resolve, ms))
  child.kill('SIGKILL')
  await once(child, 'close')
  return output.slice(0, output.lastIndexOf('\n')).split('\n').map(Number)
}

function readTimes(reader: HeadReader): Map<string, number[]> {
  const found = new Map<string, number[]>()
  for (const set = reader.select([new Matcher('=', '__name__', 'killed')], -Infinity, Infinity); set.next();) {
    const columns = new SampleColumns()
    set.samples(columns)
    const i = set.labels().get('i')
    for (let k = 0; k < columns.length; k++) expect(columns.values[k]).toBe(Number(i) + columns.times[k]! / 1000)
    found.set(i, Array.from(columns.times.subarray(0, columns.length)))
  }
  return found
}

describe('a process that is killed', () => {
  it.each([1, 40, 3000])('loses nothing that was acknowledged (%d series a commit)', async (series) => {
    const acknowledged: number[] = []
    for (const ms of [30, 150]) acknowledged.push(...(await writeAndKill(series, ms)))
    const store = openStore({ directory, log: silentLogger })
    const times = readTimes(new HeadReader(store.head.descriptor()))
    expect(times.size).toBe(series)
    for (const found of times.values()) {
      const present = new Set(found)
      expect(acknowledged.filter((timeMs) => !present.has(timeMs))).toEqual([])
    }
    await store.close()
  })

  it('with a torn last record keeps the others and says what was cut', async () => {
    const acknowledged = await writeAndKill(40, 50)
    const segment = join(directory, 'wal', '00000000')
    truncateSync(segment, statSync(segment).size - 5)
    const lines: string[] = []
    const store = openStore({ directory, log: createLogger({ write: (line) => lines.push(line) }) })
    expect(lines.join('')).toMatch(/level=WARN .*msg="Torn end of the write-ahead log cut off" file=\S+00000000 offset=\d+ bytes=\d+/)
    const times = readTimes(new HeadReader(store.head.descriptor())).get('0')!
    expect(times.length).toBeGreaterThanOrEqual(acknowledged.length - 1)
    await store.close()
  })
})

describe('the directory', () => {
  it('is refused while another process or this one has it, and free afterwards', async () => {
    const store = openStore({ directory, log: silentLogger })
    expect(() => openStore({ directory, log: silentLogger })).toThrow(DirectoryLockedError)
    await store.close()
    // Process 1 lives as long as the system; with its start time it looks like an owner.
    const start = readFileSync('/proc/1/stat', 'utf8').split(') ').at(-1)!.split(' ')[19]
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    writeFileSync(join(directory, 'lock'), `1\n${start}\n${boot}\n`)
    expect(() => openStore({ directory, log: silentLogger })).toThrow(/process 1 holds it/)
    writeFileSync(join(directory, 'lock'), `1\n${Number(start) + 1}\n${boot}\n`)
    await openStore({ directory, log: silentLogger }).close()
  })

  it('keeps its samples over clean restarts', async () => {
    for (let run = 0; run < 3; run++) {
      const store = openStore({ directory, log: silentLogger, now: () => 1e12 })
      const ref = store.head.refByLabels(Labels.from({ __name__: 'killed', i: '0' }))
      expect(store.head.append(ref, 1e12 + run * 1000, ...words(1e9 + run))).toBe(0)
      store.head.commit()
      await store.close()
      expect(() => {
        store.head.append(ref, 1e12 + run * 1000 + 1, 0, 0)
        store.head.commit()
      }).toThrow(/closed/)
    }
    const store = openStore({ directory, log: silentLogger })
    expect(readTimes(new HeadReader(store.head.descriptor())).get('0')).toEqual([1e12, 1e12 + 1000, 1e12 + 2000])
    await store.close()
  })
})

function words(value: number): [number, number] {
  const buffer = new Float64Array([value])
  const halves = new Uint32Array(buffer.buffer)
  return [halves[0]!, halves[1]!]
}

it('prints its metrics under the names of Prometheus', async () => {
  const registry = new Registry()
  const store = openStore({ directory, log: silentLogger, registry })
  store.head.append(store.head.refByLabels(Labels.from({ __name__: 'm' })), Date.now(), 0, 0)
  store.head.commit()
  await store.wal.sync()
  const writer = new FamilyWriter()
  registry.write(writer)
  const text = new TextDecoder().decode(writer.finish())
  expect(text).toContain('\nprometheus_tsdb_head_series 1\n')
  expect(text).toContain('\nprometheus_tsdb_head_chunks 1\n')
  expect(text).toContain('\nprometheus_tsdb_head_samples_appended_total{type="float"} 1\n')
  expect(text).toContain('\nprometheus_tsdb_wal_segment_current 0\n')
  expect(text).toMatch(/\nprometheus_tsdb_wal_fsync_duration_seconds_count 1\n/)
  await store.close()
})

it('grows the JavaScript heap by at most 16 bytes per series', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', scriptPath('./store.test-heap.ts'), directory])
  expect(Number(stdout)).toBeLessThanOrEqual(16)
  console.log(`heap bytes per series: ${stdout.trim()}`)
})

it('takes nine tenths of a container less 192 MiB, or half of a machine, as its ceiling', () => {
  const gib = 2 ** 30
  expect(defaultMemoryBytesMax(2 * gib, 16 * gib)).toBe(Math.floor(2 * gib * 0.9 - 192 * 2 ** 20))
  expect(defaultMemoryBytesMax(256 * 2 ** 20, 16 * gib)).toBe(Math.floor(256 * 2 ** 20 * 0.4))
  expect(defaultMemoryBytesMax(32 * gib, 16 * gib)).toBe(8 * gib)
})
