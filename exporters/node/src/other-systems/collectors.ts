import type { CreateCollector } from '../collectors.ts'
import { createTextfileCollector } from '../collect-textfile.ts'
import { createTimeCollector } from '../collect-time.ts'
import { createBoottimeCollector } from './collect-boottime.ts'
import { createCpuCollector } from './collect-cpu.ts'
import { createDiskstatsCollector } from './collect-diskstats.ts'
import { createFilesystemCollector } from './collect-filesystem.ts'
import { createLoadavgCollector } from './collect-loadavg.ts'
import { createMeminfoCollector } from './collect-meminfo.ts'
import { createNetdevCollector } from './collect-netdev.ts'
import { createOsCollector } from './collect-os.ts'
import { createUnameCollector } from './collect-uname.ts'
import type { Machine } from './machine.ts'

/** What Windows has no numbers for. */
const notOnWindows: ReadonlySet<string> = new Set(['diskstats', 'loadavg'])

/** The collectors of a machine without /proc, all on by default, in the order in which they run: first those that wait. */
export function createOtherFactories(machine: Machine): ReadonlyMap<string, CreateCollector> {
  const all: readonly (readonly [name: string, create: CreateCollector])[] = [
    ['filesystem', (environment, spawnHelper) => createFilesystemCollector(environment, spawnHelper, machine)],
    ['meminfo', () => createMeminfoCollector(machine)],
    ['netdev', (environment) => createNetdevCollector(environment, machine)],
    ['diskstats', (environment) => createDiskstatsCollector(environment, machine)],
    ['os', (environment) => createOsCollector(environment, machine)],
    ['boottime', (environment) => createBoottimeCollector(environment, machine)],
    ['cpu', () => createCpuCollector(machine)],
    ['loadavg', () => createLoadavgCollector(machine)],
    ['time', createTimeCollector],
    ['uname', () => createUnameCollector(machine)],
    ['textfile', createTextfileCollector],
  ]
  return new Map(all.filter(([name]) => machine.platform !== 'win32' || !notOnWindows.has(name)))
}
