import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import { listSorted } from './attribute-reader.ts'
import { compareLabels } from './compare-labels.ts'
import type { NodeEnvironment } from './environment.ts'

interface Sample {
  readonly value: number
  readonly labels: readonly string[]
}

/** Memory error counters (Documentation/driver-api/edac.rst): controllers, their chip-select rows, and the channels of a row. */
export function createEdacCollector(environment: NodeEnvironment): Collector {
  const { attributes } = environment
  const root = environment.sysPath('devices/system/edac/mc')

  function collect({ writer }: CollectContext): void {
    const controllers = listSorted(root).filter((name) => /^mc[0-9]/.test(name))
    writeKind(writer, controllers, 'ce', 'correctable')
    writeKind(writer, controllers, 'ue', 'uncorrectable')
  }

  /** `prefix` is that of the kernel's files. */
  function writeKind(writer: MetricWriter, controllers: readonly string[], prefix: string, kind: string): void {
    const totals: Sample[] = []
    const rows: Sample[] = []
    const channels: Sample[] = []
    for (const name of controllers) {
      const directory = `${root}/${name}`
      const controller = ['controller', name.slice(2)]
      add(totals, `${directory}/${prefix}_count`, controller)
      // Errors that the hardware could not place.
      add(rows, `${directory}/${prefix}_noinfo_count`, [...controller, 'csrow', 'unknown'])
      for (const rowName of listSorted(directory)) {
        if (!/^csrow[0-9]/.test(rowName)) continue
        const rowDirectory = `${directory}/${rowName}`
        const row = rowName.slice('csrow'.length)
        add(rows, `${rowDirectory}/${prefix}_count`, [...controller, 'csrow', row])
        for (const file of listSorted(rowDirectory)) {
          const channel = /^ch([0-9]+)_ce_count$/.exec(file)?.[1]
          if (channel === undefined) continue
          const labels = ['channel', channel, ...controller, 'csrow', row, 'dimm_label', readLabel(rowDirectory, channel)]
          add(channels, `${rowDirectory}/ch${channel}_${prefix}_count`, labels)
        }
      }
    }
    write(writer, `node_edac_${kind}_errors_total`, `Memory errors that were ${kind}, by controller.`, totals)
    write(writer, `node_edac_csrow_${kind}_errors_total`, `Memory errors that were ${kind}, by chip-select row.`, rows)
    write(writer, `node_edac_channel_${kind}_errors_total`, `Memory errors that were ${kind}, by channel.`, channels)
  }

  function add(samples: Sample[], path: string, labels: readonly string[]): void {
    const value = attributes.integer(path)
    if (!Number.isNaN(value)) samples.push({ value, labels })
  }

  /** Drivers make labels like `CPU_SrcID#0_MC#0_Chan#0`; the original takes the number signs out and parts the words. */
  function readLabel(directory: string, channel: string): string {
    const text = attributes.text(`${directory}/ch${channel}_dimm_label`)
    return text?.replaceAll('#', '').replaceAll('csrow', '_csrow').replaceAll('channel', '_channel') ?? 'unknown'
  }

  return { name: 'edac', defaultOn: true, collect }
}

function write(writer: MetricWriter, name: string, help: string, samples: Sample[]): void {
  writer.family(name, help, 'counter')
  for (const { value, labels } of samples.sort((a, b) => compareLabels(a.labels, b.labels))) writer.sample(value, labels)
}
