import { NoDataError, type CollectContext, type Collector, type MetricWriter } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'
import { parseMdstat, type MdActivity, type MdArray } from './mdstat.ts'

// Label value, and the activity that makes it 1.
const states: readonly (readonly [label: string, activity: MdActivity])[] = [
  ['active', 'active'],
  ['check', 'checking'],
  ['inactive', 'inactive'],
  ['recovering', 'recovering'],
  ['resync', 'resyncing'],
]

const redundantLevels = new Set(['raid1', 'raid4', 'raid5', 'raid6', 'raid10'])

export function createMdadmCollector(environment: NodeEnvironment): Collector {
  const path = environment.procPath('mdstat')

  function collect({ writer }: CollectContext): void {
    writeStatus(
      writer,
      parseMdstat(readStatus()).sort((a, b) => (a.name < b.name ? -1 : 1)),
    )
    writeDegraded(environment, writer)
  }

  function readStatus(): string {
    try {
      return environment.files.read(path).toString('utf8')
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      throw new NoDataError('the md driver is not loaded', { cause: error })
    }
  }

  return { name: 'mdadm', defaultOn: true, collect }
}

function writeStatus(writer: MetricWriter, arrays: readonly MdArray[]): void {
  writer.family('node_md_blocks', 'Blocks of the array.', 'gauge')
  for (const array of arrays) writer.sample(array.blocks, ['device', array.name])
  writer.family('node_md_blocks_synced', 'Blocks of the array that are in sync.', 'gauge')
  for (const array of arrays) writer.sample(array.blocksSynced, ['device', array.name])
  writer.family('node_md_disks', 'Disks of the array by state.', 'gauge')
  for (const array of arrays) {
    writer.sample(array.disksActive, ['device', array.name, 'state', 'active'])
    writer.sample(array.disksDown, ['device', array.name, 'state', 'down'])
    writer.sample(array.disksFailed, ['device', array.name, 'state', 'failed'])
    writer.sample(array.disksSpare, ['device', array.name, 'state', 'spare'])
  }
  writer.family('node_md_disks_required', 'Disks that the array should have.', 'gauge')
  for (const array of arrays) writer.sample(array.disksRequired, ['device', array.name])
  writer.family('node_md_state', 'What the array is doing.', 'gauge')
  for (const array of arrays) {
    for (const [label, activity] of states) writer.sample(array.activity === activity ? 1 : 0, ['device', array.name, 'state', label])
  }
}

function writeDegraded(environment: NodeEnvironment, writer: MetricWriter): void {
  const { files } = environment
  const arrays: { readonly name: string; readonly raidDisks: number; readonly degraded: number }[] = []
  for (const name of listArrays(environment.sysPath('block'))) {
    const directory = environment.sysPath(`block/${name}/md`)
    const raidDisks = files.readTextIfThere(`${directory}/raid_disks`)
    if (raidDisks === undefined) continue
    // The file is there only where a disk can be missing.
    const isRedundant = redundantLevels.has(files.readTextIfThere(`${directory}/level`) ?? '')
    const degraded = isRedundant ? (files.readTextIfThere(`${directory}/degraded`) ?? '0') : '0'
    // A reshape prints the old number behind the new one: `4 (3)`.
    arrays.push({ name, raidDisks: Number.parseInt(raidDisks, 10), degraded: Number(degraded) })
  }
  writer.family('node_md_degraded', 'Disks that the array lacks.', 'gauge')
  for (const { name, degraded } of arrays) writer.sample(degraded, ['device', name])
  writer.family('node_md_raid_disks', 'Disks that the array is made for.', 'gauge')
  for (const { name, raidDisks } of arrays) writer.sample(raidDisks, ['device', name])
}

function listArrays(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.startsWith('md'))
      .sort()
  } catch {
    return []
  }
}
