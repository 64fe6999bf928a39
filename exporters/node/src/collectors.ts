import type { Collector } from '@narthex/exporter-kit/collector'
import type { SpawnHelper } from '@narthex/exporter-kit/statfs-pool'
import { createArpCollector } from './collect-arp.ts'
import { createBcacheCollector } from './collect-bcache.ts'
import { createBcachefsCollector } from './collect-bcachefs.ts'
import { createBondingCollector } from './collect-bonding.ts'
import { createBtrfsCollector } from './collect-btrfs.ts'
import { createConntrackCollector } from './collect-conntrack.ts'
import { createCpuCollector } from './collect-cpu.ts'
import { createCpufreqCollector } from './collect-cpufreq.ts'
import { createDiskstatsCollector } from './collect-diskstats.ts'
import { createDmiCollector } from './collect-dmi.ts'
import { createDmmultipathCollector } from './collect-dmmultipath.ts'
import { createEdacCollector } from './collect-edac.ts'
import { createEntropyCollector } from './collect-entropy.ts'
import { createFibrechannelCollector } from './collect-fibrechannel.ts'
import { createFilefdCollector } from './collect-filefd.ts'
import { createFilesystemCollector } from './collect-filesystem.ts'
import { createHwmonCollector } from './collect-hwmon.ts'
import { createInfinibandCollector } from './collect-infiniband.ts'
import { createIpvsCollector } from './collect-ipvs.ts'
import { createKernelHungCollector } from './collect-kernel-hung.ts'
import { createLoadavgCollector } from './collect-loadavg.ts'
import { createMdadmCollector } from './collect-mdadm.ts'
import { createMeminfoCollector } from './collect-meminfo.ts'
import { createNetclassCollector } from './collect-netclass.ts'
import { createNetdevCollector } from './collect-netdev.ts'
import { createNetstatCollector } from './collect-netstat.ts'
import { createNfsCollector } from './collect-nfs.ts'
import { createNfsdCollector } from './collect-nfsd.ts'
import { createNvmeCollector } from './collect-nvme.ts'
import { createOsCollector } from './collect-os.ts'
import { createPowersupplyclassCollector } from './collect-powersupplyclass.ts'
import { createPressureCollector } from './collect-pressure.ts'
import { createRaplCollector } from './collect-rapl.ts'
import { createSchedstatCollector } from './collect-schedstat.ts'
import { createSelinuxCollector } from './collect-selinux.ts'
import { createSockstatCollector } from './collect-sockstat.ts'
import { createSoftnetCollector } from './collect-softnet.ts'
import { createStatCollector } from './collect-stat.ts'
import { createTapestatsCollector } from './collect-tapestats.ts'
import { createTextfileCollector } from './collect-textfile.ts'
import { createThermalZoneCollector } from './collect-thermal-zone.ts'
import { createTimeCollector } from './collect-time.ts'
import { createTimexCollector } from './collect-timex.ts'
import { createUdpQueuesCollector } from './collect-udp-queues.ts'
import { createUnameCollector } from './collect-uname.ts'
import { createVmstatCollector } from './collect-vmstat.ts'
import { createWatchdogCollector } from './collect-watchdog.ts'
import { createXfsCollector } from './collect-xfs.ts'
import { createZfsCollector } from './collect-zfs.ts'
import type { NodeEnvironment } from './environment.ts'

export type CreateCollector = (environment: NodeEnvironment, spawnHelper: SpawnHelper) => Collector

/**
 * All collectors in the order in which they run: first those that wait for something else (a helper process, the thread pool), so that
 * the others run meanwhile. `textfile` is last: where a file repeats a name of ours, ours was there first.
 */
export const collectorFactories: ReadonlyMap<string, CreateCollector> = new Map<string, CreateCollector>([
  ['filesystem', createFilesystemCollector],
  ['hwmon', createHwmonCollector],
  ['bcache', createBcacheCollector],
  ['cpufreq', createCpufreqCollector],
  ['fibrechannel', createFibrechannelCollector],
  ['infiniband', createInfinibandCollector],
  ['nvme', createNvmeCollector],
  ['powersupplyclass', createPowersupplyclassCollector],
  ['thermal_zone', createThermalZoneCollector],
  ['arp', createArpCollector],
  ['bcachefs', createBcachefsCollector],
  ['bonding', createBondingCollector],
  ['btrfs', createBtrfsCollector],
  ['conntrack', createConntrackCollector],
  ['cpu', createCpuCollector],
  ['diskstats', createDiskstatsCollector],
  ['dmi', createDmiCollector],
  ['dmmultipath', createDmmultipathCollector],
  ['edac', createEdacCollector],
  ['entropy', createEntropyCollector],
  ['filefd', createFilefdCollector],
  ['ipvs', createIpvsCollector],
  ['kernel_hung', createKernelHungCollector],
  ['loadavg', createLoadavgCollector],
  ['mdadm', createMdadmCollector],
  ['meminfo', createMeminfoCollector],
  ['netclass', createNetclassCollector],
  ['netdev', createNetdevCollector],
  ['netstat', createNetstatCollector],
  ['nfs', createNfsCollector],
  ['nfsd', createNfsdCollector],
  ['os', createOsCollector],
  ['pressure', createPressureCollector],
  ['rapl', createRaplCollector],
  ['schedstat', createSchedstatCollector],
  ['selinux', createSelinuxCollector],
  ['sockstat', createSockstatCollector],
  ['softnet', createSoftnetCollector],
  ['stat', createStatCollector],
  ['tapestats', createTapestatsCollector],
  ['time', createTimeCollector],
  ['timex', createTimexCollector],
  ['udp_queues', createUdpQueuesCollector],
  ['uname', createUnameCollector],
  ['vmstat', createVmstatCollector],
  ['watchdog', createWatchdogCollector],
  ['xfs', createXfsCollector],
  ['zfs', createZfsCollector],
  ['textfile', createTextfileCollector],
])
