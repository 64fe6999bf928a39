import type { Collector } from '@narthex/exporter-kit/collector'
import { createConntrackCollector } from './collect-conntrack.ts'
import { createCpuCollector } from './collect-cpu.ts'
import { createDiskstatsCollector } from './collect-diskstats.ts'
import { createEntropyCollector } from './collect-entropy.ts'
import { createFilefdCollector } from './collect-filefd.ts'
import { createFilesystemCollector } from './collect-filesystem.ts'
import { createHwmonCollector } from './collect-hwmon.ts'
import { createLoadavgCollector } from './collect-loadavg.ts'
import { createMdadmCollector } from './collect-mdadm.ts'
import { createMeminfoCollector } from './collect-meminfo.ts'
import { createNetdevCollector } from './collect-netdev.ts'
import { createNetstatCollector } from './collect-netstat.ts'
import { createOsCollector } from './collect-os.ts'
import { createPressureCollector } from './collect-pressure.ts'
import { createSockstatCollector } from './collect-sockstat.ts'
import { createStatCollector } from './collect-stat.ts'
import { createTextfileCollector } from './collect-textfile.ts'
import { createTimeCollector } from './collect-time.ts'
import { createUnameCollector } from './collect-uname.ts'
import { createVmstatCollector } from './collect-vmstat.ts'
import type { NodeEnvironment } from './environment.ts'
import type { SpawnHelper } from './statfs-pool.ts'

export type CreateCollector = (environment: NodeEnvironment, spawnHelper: SpawnHelper) => Collector

/**
 * All collectors in the order in which they run: first those that wait for something else (a helper process, the thread pool), so that
 * the others run meanwhile. `textfile` is last: where a file repeats a name of ours, ours was there first.
 */
export const collectorFactories: ReadonlyMap<string, CreateCollector> = new Map<string, CreateCollector>([
  ['filesystem', createFilesystemCollector],
  ['hwmon', createHwmonCollector],
  ['conntrack', createConntrackCollector],
  ['cpu', createCpuCollector],
  ['diskstats', createDiskstatsCollector],
  ['entropy', createEntropyCollector],
  ['filefd', createFilefdCollector],
  ['loadavg', createLoadavgCollector],
  ['mdadm', createMdadmCollector],
  ['meminfo', createMeminfoCollector],
  ['netdev', createNetdevCollector],
  ['netstat', createNetstatCollector],
  ['os', createOsCollector],
  ['pressure', createPressureCollector],
  ['sockstat', createSockstatCollector],
  ['stat', createStatCollector],
  ['time', createTimeCollector],
  ['uname', createUnameCollector],
  ['vmstat', createVmstatCollector],
  ['textfile', createTextfileCollector],
])
