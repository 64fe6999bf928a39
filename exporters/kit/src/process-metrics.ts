import type { FamilyWriter } from '@narthex/exposition/family-writer'
import { readdirSync } from 'node:fs'
import { ByteScanner } from './byte-scanner.ts'
import { FileReader } from './file-reader.ts'

/** How Go prints RLIM_INFINITY as a double. */
const unlimited = 2 ** 64

const files = new FileReader(8192)
const scanner = new ByteScanner()
const startTimeSeconds = Date.now() / 1000 - process.uptime()

/**
 * The process_* families of Go's process collector for this process, read from /proc/self where there is one; elsewhere the three that
 * Node.js knows by itself (cpu, resident memory, start time). `go_*` is left out: it has no meaning here.
 */
export function writeProcessMetrics(writer: FamilyWriter): void {
  const cpu = process.cpuUsage()
  writeOne(writer, 'process_cpu_seconds_total', 'User and system CPU time spent.', 'counter', (cpu.user + cpu.system) / 1e6)
  writeOne(writer, 'process_start_time_seconds', 'Start of the process in Unix time.', 'gauge', startTimeSeconds)
  writeOne(writer, 'process_resident_memory_bytes', 'Resident memory.', 'gauge', process.memoryUsage.rss())
  const stat = files.readIfThere('/proc/self/stat')
  if (stat === undefined) return
  writeOne(writer, 'process_virtual_memory_bytes', 'Virtual memory.', 'gauge', readVirtualBytes(stat))
  writeLimits(writer)
  writeOne(writer, 'process_open_fds', 'Open file descriptors.', 'gauge', readdirSync('/proc/self/fd').length - 1)
  writeNetwork(writer)
}

function writeOne(writer: FamilyWriter, name: string, help: string, type: 'counter' | 'gauge', value: number): void {
  writer.family(name, help, type)
  writer.sample(value)
}

// proc(5): the 23rd field is vsize; the second one is in parentheses and may hold blanks, so count from its end.
function readVirtualBytes(stat: Buffer): number {
  scanner.load(stat)
  scanner.nextLine()
  scanner.moveTo(stat.lastIndexOf(41) + 1)
  for (let field = 3; field < 23; field++) scanner.nextField()
  return scanner.nextUnsigned()
}

function writeLimits(writer: FamilyWriter): void {
  const text = files.readTextIfThere('/proc/self/limits') ?? ''
  const soft = (name: string): number => {
    const value = new RegExp(`^${name} +(\\S+)`, 'm').exec(text)?.[1]
    return value === undefined || value === 'unlimited' ? unlimited : Number(value)
  }
  writeOne(writer, 'process_max_fds', 'Limit of open file descriptors.', 'gauge', soft('Max open files'))
  writeOne(writer, 'process_virtual_memory_max_bytes', 'Limit of virtual memory.', 'gauge', soft('Max address space'))
}

// As the Go client: the octets of the network namespace that the process is in.
function writeNetwork(writer: FamilyWriter): void {
  const text = files.readTextIfThere('/proc/self/net/netstat')
  if (text === undefined) return
  const [names, values] = text.split('\n').filter((line) => line.startsWith('IpExt:'))
  if (names === undefined || values === undefined) return
  const columns = names.split(' ')
  const numbers = values.split(' ')
  const received = numbers[columns.indexOf('InOctets')]
  const sent = numbers[columns.indexOf('OutOctets')]
  if (received === undefined || sent === undefined) return
  writeOne(writer, 'process_network_receive_bytes_total', 'Bytes received over IP by the network namespace.', 'counter', Number(received))
  writeOne(writer, 'process_network_transmit_bytes_total', 'Bytes sent over IP by the network namespace.', 'counter', Number(sent))
}
