import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import { existsSync } from 'node:fs'
import { listSorted } from './attribute-reader.ts'
import type { NodeEnvironment } from './environment.ts'
import { HardwareReader, integerOf, poolReadsMax } from './hardware-reader.ts'

// Files in /sys/devices/system/cpu/cpuN/cpufreq (Documentation/admin-guide/pm/cpufreq.rst), kilohertz. The first three may ask the CPU:
// some kernels wait tens of milliseconds for its answer.
const measured: readonly Family[] = [
  { file: 'cpuinfo_avg_freq', name: 'frequency_avg_hertz', help: 'Average frequency of the CPU.' },
  { file: 'cpuinfo_cur_freq', name: 'frequency_hertz', help: 'Frequency of the CPU as the hardware says.' },
  { file: 'scaling_cur_freq', name: 'scaling_frequency_hertz', help: 'Frequency of the CPU as the governor says.' },
]
const settings: readonly Family[] = [
  { file: 'cpuinfo_max_freq', name: 'frequency_max_hertz', help: 'Highest frequency of the CPU.' },
  { file: 'cpuinfo_min_freq', name: 'frequency_min_hertz', help: 'Lowest frequency of the CPU.' },
  { file: 'scaling_max_freq', name: 'scaling_frequency_max_hertz', help: 'Highest frequency that the governor may choose.' },
  { file: 'scaling_min_freq', name: 'scaling_frequency_min_hertz', help: 'Lowest frequency that the governor may choose.' },
]
const hertzPerKilohertz = 1000

interface Family {
  readonly file: string
  readonly name: string
  readonly help: string
}

interface Cpu {
  readonly labels: readonly string[]
  readonly directory: string
  measuredValues: readonly number[]
}

export function createCpufreqCollector(environment: NodeEnvironment): Collector {
  const { attributes } = environment
  const hardware = new HardwareReader(attributes)
  const root = environment.sysPath('devices/system/cpu')

  async function collect({ writer }: CollectContext): Promise<void> {
    const cpus = listCpus()
    await Promise.all(Array.from({ length: poolReadsMax }, (_, first) => readMeasured(cpus, first)))
    for (let index = 0; index < measured.length; index++) {
      writeFamily(writer, measured[index]!)
      for (const { labels, measuredValues } of cpus) writeFrequency(writer, measuredValues[index]!, labels)
    }
    for (const family of settings) {
      writeFamily(writer, family)
      for (const { labels, directory } of cpus) writeFrequency(writer, attributes.integer(`${directory}/${family.file}`), labels)
    }
    writeGovernors(writer, cpus)
  }

  function listCpus(): Cpu[] {
    return listSorted(root)
      .filter((name) => /^cpu[0-9]+$/.test(name) && existsSync(`${root}/${name}/cpufreq`))
      .map((name) => ({ labels: ['cpu', name.slice(3)], directory: `${root}/${name}/cpufreq`, measuredValues: [] }))
  }

  async function readMeasured(cpus: readonly Cpu[], first: number): Promise<void> {
    for (let index = first; index < cpus.length; index += poolReadsMax) {
      const cpu = cpus[index]!
      const paths = measured.map(({ file }) => `${cpu.directory}/${file}`)
      cpu.measuredValues = (await hardware.read(cpu.directory, paths)).map((text) => integerOf(text))
    }
  }

  function writeGovernors(writer: MetricWriter, cpus: readonly Cpu[]): void {
    writer.family('node_cpu_scaling_governor', 'Whether the governor is the one in use.', 'gauge')
    for (const { labels, directory } of cpus) {
      const current = attributes.text(`${directory}/scaling_governor`) ?? ''
      if (current === '') continue
      const available = (attributes.text(`${directory}/scaling_available_governors`) ?? '').split(' ').sort()
      for (const governor of available) writer.sample(governor === current ? 1 : 0, [...labels, 'governor', governor])
    }
  }

  return { name: 'cpufreq', defaultOn: true, collect }
}

function writeFamily(writer: MetricWriter, { name, help }: Family): void {
  writer.family(`node_cpu_${name}`, help, 'gauge')
}

function writeFrequency(writer: MetricWriter, kilohertz: number, labels: readonly string[]): void {
  if (!Number.isNaN(kilohertz)) writer.sample(kilohertz * hertzPerKilohertz, labels)
}
