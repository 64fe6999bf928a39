import { statSync } from 'node:fs'
import { join } from 'node:path'
import { reserveFileName } from '@narthex/tsdb/disk-reserve'
import { Bounds } from './bounds.ts'
import { directoryBytes, readTreeUsage } from './measure.ts'
import { BenchServer, serverContenders, type ServerContender, type ServerOptions } from './server-contenders.ts'
import type { BenchRow } from './table.ts'

// What the benches of the storage have in common: their arguments, and how a program's figures are taken.

export type ContenderKey = keyof typeof serverContenders

export interface StorageBenchArguments {
  readonly isSmoke: boolean
  readonly bounds: Bounds
  readonly keys: readonly ContenderKey[]
}

/** `--smoke` and the names of programs to measure alone; throws at anything else. */
export function readStorageArguments(args: readonly string[], all: readonly ContenderKey[]): StorageBenchArguments {
  const isSmoke = args.includes('--smoke')
  const names = args.filter((argument) => argument !== '--smoke')
  for (const name of names) {
    if (!all.some((key) => key === name))
      throw new Error(`cannot read argument ${JSON.stringify(name)}: want --smoke or one of ${all.join(', ')}`)
  }
  return { isSmoke, bounds: new Bounds(isSmoke), keys: names.length === 0 ? all : all.filter((key) => names.includes(key)) }
}

/** Runs one contender after the other, each with an empty directory; what a run throws ends the bench. */
export async function eachServer<Figures>(
  keys: readonly ContenderKey[],
  run: (server: BenchServer, key: ContenderKey) => Promise<Figures>,
): Promise<Partial<Record<ContenderKey, Figures>>> {
  const figures: Partial<Record<ContenderKey, Figures>> = {}
  for (const key of keys) Object.assign(figures, await eachKeptServer([key], run))
  return figures
}

/** As `eachServer`; the servers and their directories stay until `afterAll` has ended. A run may kill its server. */
export async function eachKeptServer<Figures>(
  keys: readonly ContenderKey[],
  run: (server: BenchServer, key: ContenderKey) => Promise<Figures>,
  afterAll: () => Promise<void> = () => Promise.resolve(),
  optionsOf: (key: ContenderKey) => ServerOptions = () => ({}),
): Promise<Partial<Record<ContenderKey, Figures>>> {
  const figures: Partial<Record<ContenderKey, Figures>> = {}
  const servers: BenchServer[] = []
  try {
    for (const key of keys) {
      const server = await BenchServer.start(serverContenders[key], optionsOf(key))
      servers.push(server)
      figures[key] = await run(server, key)
    }
    await afterAll()
  } finally {
    for (const server of servers) await server.stop()
  }
  return figures
}

/** A row of the table, as far as a running program tells. */
export function makeRow(
  contender: ServerContender,
  figures: { samples: number; cpuSeconds: number; peakBytes: number; wallSeconds: number; dataDirectory?: string },
): BenchRow {
  const { samples, cpuSeconds, peakBytes, wallSeconds, dataDirectory } = figures
  const { name, version, durability } = contender
  const diskBytes = dataDirectory === undefined ? undefined : directoryBytes(dataDirectory) - reserveBytes(dataDirectory)
  const row = { name, version, durability, samples, cpuSecondsPerMillion: cpuSeconds / (samples / 1e6), peakBytes, diskBytes, wallSeconds }
  console.error(`${name}: ${cpuSeconds.toFixed(1)} CPU-s, peak ${(peakBytes / 1e6).toFixed(0)} MB, ${wallSeconds.toFixed(1)} s`)
  return row
}

/** Processor time of a program from here on. */
export function startCpuClock(pid: number): () => number {
  const before = readTreeUsage(pid).cpuSeconds
  return () => readTreeUsage(pid).cpuSeconds - before
}

/** Undefined unless both are there. */
export function ratio(ours: number | undefined, theirs: number | undefined): number | undefined {
  return ours === undefined || theirs === undefined ? undefined : ours / theirs
}

/** The file that our storage keeps for a full disk holds no data, and has one size whatever is stored. */
function reserveBytes(dataDirectory: string): number {
  return statSync(join(dataDirectory, reserveFileName), { throwIfNoEntry: false })?.size ?? 0
}
