import { FamilyWriter } from '@narthex/exposition/family-writer'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parseFamilies } from './family-parser.ts'
import { writeProcessMetrics } from './process-metrics.ts'

function read(): Map<string, number> {
  const writer = new FamilyWriter()
  writeProcessMetrics(writer)
  return new Map(parseFamilies(writer.finish()).map(({ name, samples }) => [name, samples[0]!.value]))
}

test('what is told of the process is what Node.js and the kernel know of it', () => {
  const values = read()
  const { user, system } = process.cpuUsage()
  // The kernel counts in hundredths.
  expect(values.get('process_cpu_seconds_total')! * 1e6).toBeLessThanOrEqual(user + system)
  expect(values.get('process_cpu_seconds_total')! * 1e6).toBeGreaterThan((user + system) / 2 - 20_000)
  const resident = process.memoryUsage.rss()
  expect(values.get('process_resident_memory_bytes')! / resident).toBeGreaterThan(0.8)
  expect(values.get('process_resident_memory_bytes')! / resident).toBeLessThan(1.2)
  expect(values.get('process_virtual_memory_bytes')).toBeGreaterThan(resident)
  const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))![1]
  expect(values.get('process_max_fds')).toBe(Number(limit))
  expect(values.get('process_open_fds')).toBeGreaterThan(2)
})

test('the octets are those of the network namespace', () => {
  const octets = (): { received: number; sent: number } => {
    const [names, numbers] = readFileSync('/proc/self/net/netstat', 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('IpExt:'))
      .map((line) => line.split(' '))
    const of = (name: string): number => Number(numbers![names!.indexOf(name)])
    return { received: of('InOctets'), sent: of('OutOctets') }
  }
  const before = octets()
  const values = read()
  const after = octets()
  expect(values.get('process_network_receive_bytes_total')).toBeGreaterThanOrEqual(before.received)
  expect(values.get('process_network_receive_bytes_total')).toBeLessThanOrEqual(after.received)
  expect(values.get('process_network_transmit_bytes_total')).toBeGreaterThanOrEqual(before.sent)
  expect(values.get('process_network_transmit_bytes_total')).toBeLessThanOrEqual(after.sent)
})
