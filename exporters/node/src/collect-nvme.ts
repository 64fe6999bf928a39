import { NoDataError, type CollectContext, type Collector, type MetricWriter } from '@narthex/exporter-kit/collector'
import { listSorted } from './attribute-reader.ts'
import { compareLabels } from './compare-labels.ts'
import type { NodeEnvironment } from './environment.ts'
import { HardwareReader, integerOf } from './hardware-reader.ts'

/** What the block layer calls a sector, whatever the namespace's own block size. */
const sectorBytes = 512

interface Namespace {
  readonly labels: readonly string[]
  readonly anaState: string
  readonly sizeBytes: number
  readonly blockBytes: number
  /** NaN where the kernel (before 6.8) does not say. */
  readonly usedBytes: number
}

export function createNvmeCollector(environment: NodeEnvironment): Collector {
  const { attributes } = environment
  const root = environment.sysPath('class/nvme')
  const hardware = new HardwareReader(attributes)

  async function collect({ writer }: CollectContext): Promise<void> {
    const devices = listSorted(root)
    if (devices.length === 0) throw new NoDataError('no NVMe devices on this system')
    writer.family('node_nvme_info', 'What the kernel knows about the NVMe controller, as labels.', 'gauge')
    for (const device of devices) writer.sample(1, infoLabels(device))
    const namespaces: Namespace[] = []
    for (const device of devices) await readNamespaces(device, namespaces)
    writeNamespaces(
      writer,
      namespaces.sort((a, b) => compareLabels(a.labels, b.labels)),
    )
  }

  function infoLabels(device: string): string[] {
    const text = (file: string): string => attributes.text(`${root}/${device}/${file}`) ?? ''
    return [
      ...['cntlid', text('cntlid'), 'device', device, 'firmware_revision', text('firmware_rev')],
      ...['model', text('model'), 'serial', text('serial'), 'state', text('state')],
    ]
  }

  // `nvme0n1`, or with native multipath `nvme0c1n1`, the path through controller 1.
  async function readNamespaces(device: string, namespaces: Namespace[]): Promise<void> {
    for (const name of listSorted(`${root}/${device}`)) {
      const number = /^nvme[0-9]+(?:c[0-9]+)?n([0-9]+)$/.exec(name)?.[1]
      if (number === undefined) continue
      const directory = `${root}/${device}/${name}`
      const blockBytes = attributes.integer(`${directory}/queue/logical_block_size`)
      // The kernel asks the controller for it each time.
      const [usedBlocks] = await hardware.read(name, [`${directory}/nuse`])
      namespaces.push({
        labels: ['device', device, 'nsid', attributes.text(`${directory}/nsid`) ?? number],
        anaState: attributes.text(`${directory}/ana_state`) ?? 'unknown',
        sizeBytes: attributes.integer(`${directory}/size`) * sectorBytes,
        blockBytes,
        usedBytes: integerOf(usedBlocks) * blockBytes,
      })
    }
  }

  return { name: 'nvme', defaultOn: true, collect }
}

function writeNamespaces(writer: MetricWriter, namespaces: readonly Namespace[]): void {
  const write = (name: string, help: string, valueOf: (namespace: Namespace) => number): void => {
    writer.family(`node_nvme_namespace_${name}`, help, 'gauge')
    for (const namespace of namespaces) {
      const value = valueOf(namespace)
      if (!Number.isNaN(value)) writer.sample(value, namespace.labels)
    }
  }
  write('capacity_bytes', 'Capacity of the NVMe namespace.', ({ sizeBytes }) => sizeBytes)
  write('logical_block_size_bytes', 'Block size of the NVMe namespace.', ({ blockBytes }) => blockBytes)
  write('size_bytes', 'Size of the NVMe namespace.', ({ sizeBytes }) => sizeBytes)
  write('used_bytes', 'Bytes of the NVMe namespace in use.', ({ usedBytes }) => usedBytes)
  writer.family('node_nvme_namespace_info', 'State of the path to the NVMe namespace, as labels.', 'gauge')
  for (const { anaState, labels } of namespaces) writer.sample(1, ['ana_state', anaState, ...labels])
}
