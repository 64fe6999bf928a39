import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { expect, test } from 'vitest'
import { createNameFilter, type FilterFlags } from './name-filter-flags.ts'
import { nodeExporterFlags } from './flags.ts'

const disks: FilterFlags = {
  exclude: 'collector.diskstats.device-exclude',
  include: 'collector.diskstats.device-include',
  oldExclude: 'collector.diskstats.ignored-devices',
}
const devices: FilterFlags = {
  exclude: 'collector.netdev.device-exclude',
  include: 'collector.netdev.device-include',
  oldExclude: 'collector.netdev.device-blacklist',
  oldInclude: 'collector.netdev.device-whitelist',
}

function passing(flags: FilterFlags, values: FlagValues): string[] {
  const filter = createNameFilter(new FlagReader(nodeExporterFlags, values), flags)
  return ['sda', 'sdb', 'zram0', 'lo'].filter((name) => !filter.isIgnored(name))
}

test('a default exclude pattern counts until one is given', () => {
  expect(passing(disks, {})).toEqual(['sda', 'sdb', 'lo'])
  expect(passing(disks, { [disks.exclude]: 'sd' })).toEqual(['zram0', 'lo'])
  expect(passing(disks, { [disks.exclude]: '' })).toEqual(['sda', 'sdb', 'zram0', 'lo'])
  expect(passing(disks, { [disks.oldExclude]: 'b' })).toEqual(['sda', 'zram0', 'lo'])
})

test('an include pattern takes the place of a default exclude pattern, not of one that is given', () => {
  expect(passing(disks, { [disks.include]: 'a' })).toEqual(['sda', 'zram0'])
  expect(passing(disks, { [disks.include]: 'a', [disks.exclude]: '' })).toEqual(['sda', 'zram0'])
  expect(() => passing(disks, { [disks.include]: 'a', [disks.exclude]: 'b' })).toThrow(
    'want it or collector.diskstats.device-include, got both',
  )
  expect(() => passing(devices, { [devices.oldInclude!]: 'a', [devices.oldExclude]: 'b' })).toThrow('got both')
})

test('the two spellings of a flag exclude each other', () => {
  expect(passing(devices, { [devices.oldInclude!]: 'sd' })).toEqual(['sda', 'sdb'])
  expect(() => passing(devices, { [devices.oldInclude!]: 'a', [devices.include]: 'b' })).toThrow(
    'cannot use collector.netdev.device-whitelist: want one of it and collector.netdev.device-include, got both',
  )
})
