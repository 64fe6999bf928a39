import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { readdirSync } from 'node:fs'
import { compareLabels } from './compare-labels.ts'
import type { NodeEnvironment } from './environment.ts'

export const raplFlags: readonly FlagSpec[] = [
  {
    name: 'collector.rapl.enable-zone-label',
    type: 'boolean',
    default: false,
    help: 'Expose all zones in node_rapl_joules_total with the zone as a label.',
  },
]

const microjoulesPerJoule = 1e6

interface Zone {
  readonly name: string
  readonly labels: readonly string[]
  readonly joules: number
}

export function createRaplCollector(environment: NodeEnvironment): Collector {
  const { attributes } = environment
  const root = environment.sysPath('class/powercap')
  const hasZoneLabel = environment.flags.boolean('collector.rapl.enable-zone-label')

  function collect({ writer }: CollectContext): void {
    const zones = readZones()
    if (zones.length === 0) throw new NoDataError('no power capping zones that may be read (energy counters are for root alone)')
    if (hasZoneLabel) {
      writer.family('node_rapl_joules_total', 'Joules used by the zone.', 'counter')
      for (const { name, labels, joules } of zones) writer.sample(joules, [...labels, 'rapl_zone', name])
      return
    }
    for (const name of [...new Set(zones.map((zone) => zone.name))].sort()) {
      writer.family(`node_rapl_${name.replace(/[^a-zA-Z0-9_]/g, '_')}_joules_total`, `Joules used by ${name}.`, 'counter')
      for (const zone of zones) if (zone.name === name) writer.sample(zone.joules, zone.labels)
    }
  }

  /** Zones with an energy counter; those of one name are numbered, by the number in their name if it has one. */
  function readZones(): Zone[] {
    const zones: Zone[] = []
    const nextIndexes = new Map<string, number>()
    for (const entry of listZones(root)) {
      const path = `${root}/${entry}`
      const text = attributes.text(`${path}/name`)
      if (text === undefined) continue
      const [, base, number] = /^([^-]*)-([0-9]+)$/.exec(text) ?? []
      const name = base ?? text
      const index = number === undefined ? (nextIndexes.get(name) ?? 0) : Number(number)
      nextIndexes.set(name, index + 1)
      const microjoules = attributes.integer(`${path}/energy_uj`)
      if (Number.isNaN(microjoules)) continue
      zones.push({ name, labels: ['index', String(index), 'path', path], joules: microjoules / microjoulesPerJoule })
    }
    return zones.sort((a, b) => compareLabels(a.labels, b.labels))
  }

  return { name: 'rapl', defaultOn: true, collect }
}

function listZones(root: string): string[] {
  try {
    return readdirSync(root).sort()
  } catch (error) {
    const code = systemErrorCode(error)
    if (code !== 'ENOENT' && code !== 'EACCES') throw error
    throw new NoDataError('no power capping on this system', { cause: error })
  }
}
