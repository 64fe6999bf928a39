import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { NameFilter } from '@narthex/exporter-kit/name-filter'
import type { NodeEnvironment } from './environment.ts'

export const interruptsFlags: readonly FlagSpec[] = [
  {
    name: 'collector.interrupts.name-include',
    type: 'string',
    help: 'Regexp of interrupts (NAME;INFO;DEVICES) to include (mutually exclusive to name-exclude).',
  },
  {
    name: 'collector.interrupts.name-exclude',
    type: 'string',
    help: 'Regexp of interrupts (NAME;INFO;DEVICES) to exclude (mutually exclusive to name-include).',
  },
  { name: 'collector.interrupts.include-zeros', type: 'boolean', default: true, help: 'Include interrupts that have a zero value.' },
]

const colon = 58

export function createInterruptsCollector(environment: NodeEnvironment): Collector {
  const { files, flags, scanner } = environment
  const path = environment.procPath('interrupts')
  const filter = new NameFilter(flags.string('collector.interrupts.name-exclude'), flags.string('collector.interrupts.name-include'))
  const hasZeros = flags.boolean('collector.interrupts.include-zeros')
  // One list for all samples: the writer keeps none.
  const labels = ['cpu', '', 'devices', '', 'info', '', 'type', '']
  const cpuNames: string[] = []

  function collect({ writer }: CollectContext): void {
    scanner.load(files.read(path))
    if (!scanner.nextLine()) throw new Error(`cannot read ${path}: want a line of CPUs, got nothing`)
    let cpuCount = 0
    while (scanner.nextField()) cpuCount++
    while (cpuNames.length < cpuCount) cpuNames.push(String(cpuNames.length))
    writer.family('node_interrupts_total', 'Interrupts by CPU and source.', 'counter')
    while (scanner.nextLine()) writeLine(writer, cpuCount)
  }

  // ` 28:   0   0 PCI-MSIX-0000:00:01.0   0-edge   virtio0-config`, `NMI:  0  0  Non-maskable interrupts`; on arm64 there may be no blank
  // behind the colon.
  function writeLine(writer: MetricWriter, cpuCount: number): void {
    const colonAt = scanner.bytes.indexOf(colon, scanner.lineStart)
    if (colonAt < 0 || colonAt >= scanner.lineEnd) return
    scanner.moveTo(colonAt + 1)
    for (let cpu = 0; cpu < cpuCount; cpu++) scanner.nextField()
    if (!scanner.nextField()) return // ERR and MIS have one sum for all CPUs
    const name = scanner.text(scanner.lineStart, colonAt).trimStart()
    const isNumbered = /^[+-]?[0-9]+$/.test(name)
    const info = isNumbered ? scanner.text() : joinFields(scanner.text(scanner.fieldStart, scanner.lineEnd))
    const devices = isNumbered ? joinFields(scanner.text(scanner.fieldEnd, scanner.lineEnd)) : ''
    if (filter.isIgnored(`${name};${info};${devices}`)) return
    labels[3] = devices
    labels[5] = info
    labels[7] = name
    scanner.moveTo(colonAt + 1)
    for (let cpu = 0; cpu < cpuCount; cpu++) {
      const value = scanner.nextUnsigned()
      if (Number.isNaN(value)) throw new Error(`cannot read ${path}: want a number for ${name}, got ${JSON.stringify(scanner.text())}`)
      if (value === 0 && !hasZeros) continue
      labels[1] = cpuNames[cpu]!
      writer.sample(value, labels)
    }
  }

  return { name: 'interrupts', defaultOn: false, collect }
}

function joinFields(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ')
}
