import type { MetricWriter } from '@narthex/exporter-kit/collector'
import { NamePattern } from '@narthex/exporter-kit/name-filter'
import { accessSync, constants } from 'node:fs'
import { listSorted } from './attribute-reader.ts'
import type { NodeEnvironment } from './environment.ts'

/** `--collector.cpu.info`: one sample per CPU with what /proc/cpuinfo says about it, and filtered lists of flags and bugs. */
export class CpuInfoWriter {
  readonly #environment: NodeEnvironment
  readonly #flags: NamePattern | undefined
  readonly #bugs: NamePattern | undefined
  readonly #showsFrequency: boolean

  constructor(environment: NodeEnvironment) {
    const { flags } = environment
    this.#environment = environment
    this.#flags = compilePattern(flags.string('collector.cpu.info.flags-include'))
    this.#bugs = compilePattern(flags.string('collector.cpu.info.bugs-include'))
    // With the collector `cpufreq` only, which has the same family where the kernel knows better (not in most virtual machines).
    this.#showsFrequency = flags.isGiven('collector.cpufreq')
      ? flags.boolean('collector.cpufreq')
      : !flags.boolean('collector.disable-defaults')
  }

  write(writer: MetricWriter): void {
    const { files } = this.#environment
    const cpus = parseCpuInfo(files.read(this.#environment.procPath('cpuinfo')).toString('utf8'))
    writer.family('node_cpu_info', 'CPU information from /proc/cpuinfo.', 'gauge')
    for (const cpu of cpus) writer.sample(1, infoLabels(cpu))
    if (this.#showsFrequency && !this.#hasMeasuredFrequency()) {
      writer.family('node_cpu_frequency_hertz', 'CPU frequency from /proc/cpuinfo.', 'gauge')
      for (const cpu of cpus) {
        const megahertz = Number(cpu.get('cpu MHz') ?? NaN)
        const labels = ['core', cpu.get('core id') ?? '', 'cpu', cpu.get('processor') ?? '', 'package', cpu.get('physical id') ?? '']
        if (megahertz > 0) writer.sample(megahertz * 1e6, labels)
      }
    }
    const first = cpus[0]
    writeMatches(writer, 'node_cpu_flag_info', 'flag', first?.get('flags') ?? first?.get('Features'), this.#flags)
    writeMatches(writer, 'node_cpu_bug_info', 'bug', first?.get('bugs'), this.#bugs)
  }

  /** Whether the cpufreq collector has `node_cpu_frequency_hertz`: with both, every CPU would appear twice. */
  #hasMeasuredFrequency(): boolean {
    const root = this.#environment.sysPath('devices/system/cpu')
    return listSorted(root).some((cpu) => isReadable(`${root}/${cpu}/cpufreq/cpuinfo_cur_freq`))
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK)
    return true
  } catch {
    return false
  }
}

function compilePattern(pattern: string): NamePattern | undefined {
  return pattern === '' ? undefined : new NamePattern(pattern)
}

function writeMatches(writer: MetricWriter, name: string, label: string, list: string | undefined, pattern: NamePattern | undefined): void {
  if (pattern === undefined || list === undefined) return
  writer.family(name, `The ${label} column of the first CPU in /proc/cpuinfo, one sample per entry.`, 'gauge')
  for (const item of list.split(' ').sort()) if (item !== '' && pattern.test(item)) writer.sample(1, [label, item])
}

function infoLabels(cpu: ReadonlyMap<string, string>): string[] {
  const labels: string[] = []
  for (const [label, ...keys] of infoKeys) labels.push(label, keys.map((key) => cpu.get(key)).find((value) => value !== undefined) ?? '')
  return labels
}

// Label, then the keys that x86 and arm use for it.
const infoKeys: readonly (readonly [string, ...string[]])[] = [
  ['cachesize', 'cache size'],
  ['core', 'core id'],
  ['cpu', 'processor'],
  ['family', 'cpu family'],
  ['microcode', 'microcode'],
  ['model', 'model'],
  ['model_name', 'model name'],
  ['package', 'physical id'],
  ['stepping', 'stepping', 'CPU revision'],
  ['vendor', 'vendor_id', 'CPU implementer'],
]

/** Blocks of `key : value` lines; a block without `processor` (arm's hardware description) is no CPU. */
function parseCpuInfo(text: string): ReadonlyMap<string, string>[] {
  return text
    .split(/\n\s*\n/)
    .map((block) => {
      const fields = new Map<string, string>()
      for (const line of block.split('\n')) {
        const colon = line.indexOf(':')
        if (colon > 0) fields.set(line.slice(0, colon).trim(), line.slice(colon + 1).trim())
      }
      return fields
    })
    .filter((fields) => fields.has('processor'))
}
