import type { Logger } from '@narthex/service/logger'
import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import type { ContainerRow } from './container-row.ts'
import type { ContainerEnvironment } from './environment.ts'
import type { Filesystem } from './filesystems.ts'

/** A layer is measured again after this long. */
const refreshMs = 300_000
/** Measuring may take one part in so many of the time. */
const restFactor = 20
/** A measurement that takes longer is ended, and its container not measured again until the refresh is due. */
const measureMsMax = 60_000

interface Layer {
  readonly directory: string
  readonly major: number
  readonly minor: number
}

interface Measured {
  /** Of the cgroup, so that a container that started anew is measured anew. */
  readonly incarnation: number
  atMs: number
  layer: Layer | undefined
  usageBytes: number
}

/**
 * What containers have written into their own layer, by `du` at the lowest priority: one at a time, started by a scrape and shown by a later one. The
 * layer is found in the mounts of a process of the container (overlay's upper directory), so no storage driver is asked; containers on other drivers have
 * no figure.
 */
export class LayerUsage {
  readonly #environment: ContainerEnvironment
  readonly #log: Logger
  readonly #measured = new WeakMap<ContainerRow, Measured>()
  #child: ReturnType<typeof execFile> | undefined
  #restUntilMs = -Infinity

  constructor(environment: ContainerEnvironment) {
    this.#environment = environment
    this.#log = environment.log
  }

  /** Sets `filesystems` of containers that have been measured, and starts the measurement that is due first. */
  update(rows: readonly ContainerRow[], machine: readonly Filesystem[]): void {
    let due: ContainerRow | undefined
    let dueMeasured: Measured | undefined
    for (const row of rows) {
      if (row.isRoot || row.metadata === undefined || row.metadata.processId === 0) continue
      const measured = this.#measuredOf(row)
      row.filesystems = findFilesystem(measured, machine)
      if (dueMeasured === undefined || measured.atMs < dueMeasured.atMs) [due, dueMeasured] = [row, measured]
    }
    const nowMs = this.#environment.monotonicMs()
    if (due === undefined || this.#child !== undefined || nowMs < this.#restUntilMs || nowMs - dueMeasured!.atMs < refreshMs) return
    dueMeasured!.atMs = nowMs
    this.#measure(due, dueMeasured!)
  }

  close(): void {
    this.#child?.kill('SIGKILL')
  }

  #measuredOf(row: ContainerRow): Measured {
    const known = this.#measured.get(row)
    if (known?.incarnation === row.cgroup.incarnation) return known
    const measured = { incarnation: row.cgroup.incarnation, atMs: -Infinity, layer: undefined, usageBytes: NaN }
    this.#measured.set(row, measured)
    return measured
  }

  #measure(row: ContainerRow, measured: Measured): void {
    measured.layer = this.#findLayer(row.metadata!.processId)
    if (measured.layer === undefined) return
    const startMs = this.#environment.monotonicMs()
    const arguments_ = ['-n', '19', 'du', '-xsk', '--', measured.layer.directory]
    this.#child = execFile('nice', arguments_, { timeout: measureMsMax, killSignal: 'SIGKILL', maxBuffer: 65_536 }, (error, output) => {
      this.#child = undefined
      const endMs = this.#environment.monotonicMs()
      this.#restUntilMs = endMs + (endMs - startMs) * restFactor
      // A file that vanishes while it is measured makes an error of its own, and a sum all the same.
      const kilobytes = /^(\d+)\s/.exec(output)?.[1]
      if (kilobytes !== undefined) measured.usageBytes = Number(kilobytes) * 1024
      else this.#log.debug('cannot measure layer of container', { name: row.metadata?.name ?? '', err: error })
    })
    this.#child.unref()
  }

  #findLayer(processId: number): Layer | undefined {
    const { files, paths } = this.#environment
    const text = files.readIfThere(paths.host(`/proc/${processId}/mountinfo`))?.toString('latin1') ?? ''
    const root = text.split('\n').find((line) => line.split(' ')[4] === '/')
    const upper = /[ ,]upperdir=([^,\s]+)/.exec(root?.split(' - ')[1] ?? '')?.[1]
    if (upper === undefined || !upper.startsWith('/')) return undefined
    const directory = paths.host(upper)
    try {
      const { dev } = statSync(directory)
      // makedev(3): 12 bits of the major number lie above 8 bits of the minor one, whose rest is above both.
      return { directory, major: (dev >>> 8) & 0xfff, minor: (dev & 0xff) | ((dev >>> 12) & 0xfff00) }
    } catch {
      return undefined
    }
  }
}

/** The filesystem of the layer with the container's share of it. */
function findFilesystem({ layer, usageBytes }: Measured, machine: readonly Filesystem[]): readonly Filesystem[] {
  if (layer === undefined || Number.isNaN(usageBytes)) return []
  const found = machine.find(({ major, minor }) => major === layer.major && minor === layer.minor)
  // I/O of the whole disk is not the container's.
  return found === undefined ? [] : [{ ...found, usageBytes, inodes: NaN, inodesFree: NaN, disk: undefined }]
}
