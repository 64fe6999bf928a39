import { readdirSync, statSync } from 'node:fs'
import { ByteScanner } from './byte-scanner.ts'
import type { MetricWriter } from './collector.ts'
import { FileReader } from './file-reader.ts'
import { KeptFile } from './kept-file.ts'

/** How Go prints RLIM_INFINITY as a double. */
const unlimited = 2 ** 64

const files = new FileReader(4096)
const statFile = new KeptFile('/proc/self/stat', 4096)
/** Some 4 KiB; lines of names have grown from kernel to kernel. */
const networkFile = new KeptFile('/proc/self/net/netstat', 32_768)
const scanner = new ByteScanner()
const startTimeSeconds = Date.now() / 1000 - process.uptime()

/** USER_HZ, the same on every Linux. */
const ticksPerSecond = 100

/** How long limits are believed: they change by `prlimit` only, and cost as much to read as all the rest. */
const limitsMs = 60_000
let limits: readonly [descriptors: number, addressSpace: number] = [0, 0]
let limitsUntilMs = -Infinity
let pageBytes = 0

/** What a process says of itself; NaN for what nobody tells. */
export interface ProcessReading {
  cpuSeconds: number
  residentBytes: number
  virtualBytes: number
  descriptors: number
  receivedBytes: number
  sentBytes: number
}

/** Reads /proc/self where there is one; elsewhere what Node.js knows by itself, which is processor time and resident memory. */
export function readProcess(): ProcessReading {
  const reading: ProcessReading = {
    cpuSeconds: NaN,
    residentBytes: NaN,
    virtualBytes: NaN,
    descriptors: NaN,
    receivedBytes: NaN,
    sentBytes: NaN,
  }
  const stat = statFile.read()
  if (stat === undefined) {
    const { user, system } = process.cpuUsage()
    reading.cpuSeconds = (user + system) / 1e6
    reading.residentBytes = process.memoryUsage.rss()
    return reading
  }
  // proc(5): the second field is in parentheses and may hold blanks, so count from its end: the 14th and 15th are utime and stime in ticks,
  // the 23rd and 24th vsize and rss in pages.
  scanner.load(stat)
  scanner.nextLine()
  scanner.moveTo(stat.lastIndexOf(41) + 1)
  for (let field = 3; field < 14; field++) scanner.nextField()
  reading.cpuSeconds = (scanner.nextUnsigned() + scanner.nextUnsigned()) / ticksPerSecond
  for (let field = 16; field < 23; field++) scanner.nextField()
  reading.virtualBytes = scanner.nextUnsigned()
  const residentPages = scanner.nextUnsigned()
  // Nobody tells the size of a page but the same number in bytes, a little later: a power of two from 4 KiB on.
  if (pageBytes === 0) pageBytes = 2 ** Math.round(Math.log2(process.memoryUsage.rss() / residentPages))
  reading.residentBytes = residentPages * pageBytes
  reading.descriptors = countDescriptors()
  readNetwork(reading)
  return reading
}

/** The process_* families of Go's process collector. `go_*` is left out: it has no meaning here. */
export function writeProcessMetrics(writer: MetricWriter, reading: ProcessReading = readProcess()): void {
  writeOne(writer, 'process_start_time_seconds', 'Start of the process in Unix time.', 'gauge', startTimeSeconds)
  writeOne(writer, 'process_cpu_seconds_total', 'User and system CPU time spent.', 'counter', reading.cpuSeconds)
  writeOne(writer, 'process_resident_memory_bytes', 'Resident memory.', 'gauge', reading.residentBytes)
  if (Number.isNaN(reading.virtualBytes)) return
  writeOne(writer, 'process_virtual_memory_bytes', 'Virtual memory.', 'gauge', reading.virtualBytes)
  writeLimits(writer)
  writeOne(writer, 'process_open_fds', 'Open file descriptors.', 'gauge', reading.descriptors)
  if (Number.isNaN(reading.receivedBytes)) return
  const { receivedBytes, sentBytes } = reading
  writeOne(writer, 'process_network_receive_bytes_total', 'Bytes received over IP by the network namespace.', 'counter', receivedBytes)
  writeOne(writer, 'process_network_transmit_bytes_total', 'Bytes sent over IP by the network namespace.', 'counter', sentBytes)
}

function writeOne(writer: MetricWriter, name: string, help: string, type: 'counter' | 'gauge', value: number): void {
  writer.family(name, help, type)
  writer.sample(value)
}

/** Linux tells their number as the size of the directory since 6.2; before, that is 0, and the one that lists them is among those that are listed. */
function countDescriptors(): number {
  const { size } = statSync('/proc/self/fd')
  return size > 0 ? size : readdirSync('/proc/self/fd').length - 1
}

function writeLimits(writer: MetricWriter): void {
  const nowMs = performance.now()
  if (nowMs >= limitsUntilMs) {
    const text = files.readTextIfThere('/proc/self/limits') ?? ''
    limits = [readSoftLimit(text, /^Max open files +(\S+)/m), readSoftLimit(text, /^Max address space +(\S+)/m)]
    limitsUntilMs = nowMs + limitsMs
  }
  writeOne(writer, 'process_max_fds', 'Limit of open file descriptors.', 'gauge', limits[0])
  writeOne(writer, 'process_virtual_memory_max_bytes', 'Limit of virtual memory.', 'gauge', limits[1])
}

function readSoftLimit(text: string, pattern: RegExp): number {
  const value = pattern.exec(text)?.[1]
  return value === undefined || value === 'unlimited' ? unlimited : Number(value)
}

const networkNames = Buffer.from('\nIpExt: ')
/** The names of the last time, and in which columns the octets are. */
let columnNames = Buffer.alloc(0)
let receivedColumn = 0
let sentColumn = 0

// As the Go client: the octets of the network namespace that the process is in. A line of names is followed by one of values.
function readNetwork(reading: ProcessReading): void {
  const text = networkFile.read()
  if (text === undefined) return
  const start = text.indexOf(networkNames)
  if (start < 0) return
  scanner.load(text)
  scanner.startAt(start + 1)
  if (!scanner.nextLine()) return
  if (scanner.lineEnd - scanner.lineStart !== columnNames.length || columnNames.compare(text, scanner.lineStart, scanner.lineEnd) !== 0) {
    findColumns()
  }
  if (receivedColumn === 0 || sentColumn === 0 || !scanner.nextLine()) return
  for (let column = 0; scanner.nextField(); column++) {
    if (column === receivedColumn) reading.receivedBytes = scanner.unsigned()
    else if (column === sentColumn) reading.sentBytes = scanner.unsigned()
    if (column >= receivedColumn && column >= sentColumn) return
  }
}

function findColumns(): void {
  columnNames = Buffer.from(scanner.bytes.subarray(scanner.lineStart, scanner.lineEnd))
  receivedColumn = sentColumn = 0
  for (let column = 0; scanner.nextField(); column++) {
    if (scanner.fieldIs('InOctets')) receivedColumn = column
    else if (scanner.fieldIs('OutOctets')) sentColumn = column
  }
}
