import { ByteScanner } from '@narthex/exporter-kit/byte-scanner'
import type { FileReader } from '@narthex/exporter-kit/file-reader'

/** Columns of a cpu line of /proc/stat, in its order. */
export const cpuColumns = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal', 'guest', 'guest_nice'] as const
export const cpuColumnCount = cpuColumns.length

/** Names of the columns of the softirq line behind its total, in the kernel's order. */
export const softirqVectors = ['hi', 'timer', 'net_tx', 'net_rx', 'block', 'block_iopoll', 'tasklet', 'sched', 'hrtimer', 'rcu'] as const

/**
 * /proc/stat, read once per scrape for the cpu and the stat collector: on large machines the kernel takes milliseconds to sum up its
 * interrupt counters. Numbers that the file lacks are NaN.
 */
export class StatFile {
  /** Numbers of the CPUs that are online, in the order of the file. */
  cpuNumbers = new Int32Array(16)
  cpuCount = 0
  /** Clock ticks by CPU row and column. */
  ticks = new Float64Array(16 * cpuColumnCount)
  interrupts = NaN
  contextSwitches = NaN
  bootTimeSeconds = NaN
  forks = NaN
  processesRunning = NaN
  processesBlocked = NaN
  readonly softirqs = new Float64Array(softirqVectors.length)
  softirqCount = 0

  readonly #path: string
  readonly #files: FileReader
  readonly #scanner = new ByteScanner()
  #scrape: object | undefined

  constructor(path: string, files: FileReader) {
    this.#path = path
    this.#files = files
  }

  /** Reads the file unless it was read for this scrape already. Throws if it cannot be read. */
  readFor(scrape: object): void {
    if (this.#scrape === scrape) return
    this.#scrape = undefined
    this.cpuCount = this.softirqCount = 0
    this.interrupts = this.contextSwitches = this.bootTimeSeconds = NaN
    this.forks = this.processesRunning = this.processesBlocked = NaN
    const scanner = this.#scanner
    scanner.load(this.#files.read(this.#path))
    while (scanner.nextLine()) if (scanner.nextField()) this.#readLine(scanner)
    this.#scrape = scrape
  }

  #readLine(scanner: ByteScanner): void {
    if (scanner.fieldStartsWith('cpu')) {
      if (!scanner.fieldIs('cpu')) this.#readCpu(scanner)
    } else if (scanner.fieldIs('intr')) this.interrupts = scanner.nextUnsigned()
    else if (scanner.fieldIs('ctxt')) this.contextSwitches = scanner.nextUnsigned()
    else if (scanner.fieldIs('btime')) this.bootTimeSeconds = scanner.nextUnsigned()
    else if (scanner.fieldIs('processes')) this.forks = scanner.nextUnsigned()
    else if (scanner.fieldIs('procs_running')) this.processesRunning = scanner.nextUnsigned()
    else if (scanner.fieldIs('procs_blocked')) this.processesBlocked = scanner.nextUnsigned()
    else if (scanner.fieldIs('softirq')) {
      scanner.nextField() // the total
      while (this.softirqCount < softirqVectors.length && scanner.nextField()) this.softirqs[this.softirqCount++] = scanner.unsigned()
    }
  }

  // Kernels before 2.6.33 print fewer columns: those count as 0, as in the original.
  #readCpu(scanner: ByteScanner): void {
    if (this.cpuCount === this.cpuNumbers.length) this.#grow()
    const row = this.cpuCount++
    this.cpuNumbers[row] = Number(scanner.text(scanner.fieldStart + 3))
    for (let column = 0; column < cpuColumnCount; column++) {
      const ticks = scanner.nextUnsigned()
      this.ticks[row * cpuColumnCount + column] = Number.isNaN(ticks) ? 0 : ticks
    }
  }

  #grow(): void {
    const numbers = new Int32Array(this.cpuNumbers.length * 2)
    numbers.set(this.cpuNumbers)
    this.cpuNumbers = numbers
    const ticks = new Float64Array(this.ticks.length * 2)
    ticks.set(this.ticks)
    this.ticks = ticks
  }
}
