import type { CollectContext } from '@narthex/exporter-kit/collector'
import { createLogger, silentLogger } from '@narthex/service/logger'
import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { decodeClockState, loadClockReader, type ClockState } from './adjust-time.ts'
import { createTimexCollector } from './collect-timex.ts'
import { NodeEnvironment, pathFlags } from './environment.ts'
import { loadUnpacked } from './foreign-library.ts'

/** `struct timex` with its longs at their offsets. */
function makeTimex(longs: Readonly<Record<number, bigint>>, integers: Readonly<Record<number, number>>): Buffer {
  const bytes = Buffer.alloc(208)
  for (const [offset, value] of Object.entries(longs)) bytes.writeBigInt64LE(value, Number(offset))
  for (const [offset, value] of Object.entries(integers)) bytes.writeInt32LE(value, Number(offset))
  return bytes
}

const clock = makeTimex(
  {
    8: -1_500_000n,
    16: -1_234_567n,
    24: 123_456n,
    32: 7n,
    48: 10n,
    88: 10_000n,
    96: 65_536n,
    104: 40n,
    120: 131_072n,
    128: 1n,
    136: 2n,
    144: 3n,
    152: 4n,
  },
  { 40: 0x2001, 112: 8, 160: 37 },
)

function collect(load: () => () => ClockState, log = silentLogger): { values: Map<string, number>; scrape: () => void } {
  const environment = new NodeEnvironment(new FlagReader(pathFlags, {}), log, () => 0)
  const collector = createTimexCollector(environment, undefined, load)
  const values = new Map<string, number>()
  let name = ''
  const writer = { family: (family: string) => (name = family), sample: (value: number) => values.set(name, value) }
  const scrape = (): void => void collector.collect({ writer } as unknown as CollectContext)
  return { values, scrape }
}

test('units are those of the status: nanoseconds here, microseconds without the bit', () => {
  const { values, scrape } = collect(() => () => decodeClockState(0, clock))
  scrape()
  expect(Object.fromEntries([...values].map(([name, value]) => [name.slice('node_timex_'.length), value]))).toEqual({
    estimated_error_seconds: 0.000007,
    frequency_adjustment_ratio: 1 - 1_234_567 / 65_536_000_000,
    loop_time_constant: 10,
    maxerror_seconds: 0.123456,
    offset_seconds: -0.0015,
    pps_calibration_total: 2,
    pps_error_total: 3,
    pps_frequency_hertz: 1e-6,
    pps_jitter_seconds: 4e-8,
    pps_jitter_total: 1,
    pps_shift_seconds: 8,
    pps_stability_exceeded_total: 4,
    pps_stability_hertz: 2e-6,
    status: 0x2001,
    sync_status: 1,
    tai_offset_seconds: 37,
    tick_seconds: 0.01,
  })
  const microseconds = Buffer.from(clock)
  microseconds.writeInt32LE(0x40, 40)
  const unsynchronized = collect(() => () => decodeClockState(5, microseconds))
  unsynchronized.scrape()
  expect(unsynchronized.values.get('node_timex_offset_seconds')).toBe(-1.5)
  expect(unsynchronized.values.get('node_timex_sync_status')).toBe(0)
})

test('where foreign functions cannot be called the collector has no data, and the log says why once', () => {
  let attempts = 0
  const lines: string[] = []
  const log = createLogger({ write: (line) => void lines.push(line) })
  const { scrape } = collect(() => {
    attempts++
    throw new Error('cannot load the optional package')
  }, log)
  for (let round = 0; round < 3; round++) expect(scrape).toThrow('foreign functions cannot be called')
  expect(attempts).toBe(1)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toContain('cannot load the optional package')
})

test('a kernel that refuses is an error of the scrape, not for good', () => {
  let readings = 0
  const { scrape } = collect(() => () => {
    if (readings++ === 0) throw new Error('adjtimex gave errno 1')
    return decodeClockState(0, clock)
  })
  expect(scrape).toThrow('errno 1')
  expect(scrape).not.toThrow()
})

const moduleFile = (() => {
  try {
    const index = createRequire(import.meta.url).resolve(`@koromix/koffi-${process.platform}-${process.arch}`)
    const path = join(dirname(index), `${process.platform}_${process.arch}`, 'koffi.node')
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
})()

test.runIf(moduleFile !== undefined)('the kernel answers', () => {
  const { state, tickMicroseconds } = loadClockReader()()
  expect(state).toBeGreaterThanOrEqual(0)
  // 10 ms, which adjtimex can move by a tenth.
  expect(tickMicroseconds).toBeGreaterThanOrEqual(9000)
  expect(tickMicroseconds).toBeLessThanOrEqual(11_000)
})

test.runIf(moduleFile !== undefined)('the module is unpacked to the first directory that takes it, and leaves no file', () => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-koffi-'))
  try {
    const koffi = loadUnpacked(readFileSync(moduleFile!), [undefined, '', '/no/such/directory', directory, '/also/none'])
    expect(koffi.load(null).func('int getpid()')()).toBe(process.pid)
    expect(readdirSync(directory)).toEqual([])
    expect(() => loadUnpacked(Buffer.from('no module'), ['/no/such/directory', directory])).toThrow(/cannot unpack koffi: .*ENOENT.*; /)
    expect(readdirSync(directory)).toEqual([])
  } finally {
    rmSync(directory, { recursive: true })
  }
})

test('an executable without the module says so', () => {
  expect(() => loadUnpacked(undefined)).toThrow('this executable was built without it')
})
