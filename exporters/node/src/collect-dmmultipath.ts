import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { readdirSync } from 'node:fs'
import { listSorted } from './attribute-reader.ts'
import { compareLabels } from './compare-labels.ts'
import type { NodeEnvironment } from './environment.ts'

const sectorBytes = 512
/** States of a path that serves: of a SCSI device, of an NVMe controller. */
const activeStates = ['running', 'live']

interface Device {
  readonly name: string
  readonly uuid: string
  readonly labels: readonly string[]
  readonly isSuspended: boolean
  readonly sizeBytes: number
  readonly paths: readonly { readonly name: string; readonly state: string }[]
}

export function createDmmultipathCollector(environment: NodeEnvironment): Collector {
  const { attributes } = environment
  const root = environment.sysPath('block')

  function collect({ writer }: CollectContext): void {
    const devices = listDevices(root)
      .flatMap((name) => readDevice(name))
      .sort((a, b) => compareLabels(a.labels, b.labels))
    const write = (name: string, help: string, valueOf: (device: Device) => number): void => {
      writer.family(`node_dmmultipath_${name}`, help, 'gauge')
      for (const device of devices) writer.sample(valueOf(device), device.labels)
    }
    const countActive = ({ paths }: Device): number => paths.filter(({ state }) => activeStates.includes(state)).length
    write('device_active', 'Whether the multipath device is active, and not suspended.', ({ isSuspended }) => (isSuspended ? 0 : 1))
    writer.family('node_dmmultipath_device_info', 'Identity of the multipath device, as labels.', 'gauge')
    for (const { labels, uuid } of devices) writer.sample(1, [...labels, 'uuid', uuid])
    write('device_paths', 'Paths of the multipath device.', ({ paths }) => paths.length)
    write('device_paths_active', 'Paths that serve.', countActive)
    write('device_paths_failed', 'Paths that do not serve.', (device) => device.paths.length - countActive(device))
    write('device_size_bytes', 'Size of the multipath device.', ({ sizeBytes }) => sizeBytes)
    writer.family('node_dmmultipath_path_state', 'State of the device that the path leads to, as a label.', 'gauge')
    for (const { name, paths } of devices) {
      for (const path of paths) writer.sample(1, ['device', name, 'path', path.name, 'state', path.state])
    }
  }

  /** One, or none if it is another kind of device-mapper device. */
  function readDevice(sysfsName: string): Device[] {
    const uuid = attributes.text(`${root}/${sysfsName}/dm/uuid`)
    if (uuid?.startsWith('mpath-') !== true) return []
    const name = attributes.text(`${root}/${sysfsName}/dm/name`) ?? ''
    return [
      {
        name,
        uuid,
        labels: ['device', name, 'sysfs_name', sysfsName],
        isSuspended: attributes.integer(`${root}/${sysfsName}/dm/suspended`) === 1,
        sizeBytes: (attributes.integer(`${root}/${sysfsName}/size`) || 0) * sectorBytes,
        paths: listSorted(`${root}/${sysfsName}/slaves`).map((path) => ({
          name: path,
          state: attributes.text(`${root}/${path}/device/state`) ?? 'unknown',
        })),
      },
    ]
  }

  return { name: 'dmmultipath', defaultOn: true, collect }
}

function listDevices(root: string): string[] {
  try {
    return readdirSync(root).filter((name) => name.startsWith('dm-'))
  } catch (error) {
    const code = systemErrorCode(error)
    if (code !== 'ENOENT' && code !== 'EACCES') throw error
    throw new NoDataError('no block devices to be seen', { cause: error })
  }
}
