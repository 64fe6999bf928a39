import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { ethtoolFlags } from './collect-ethtool.ts'
import { interruptsFlags } from './collect-interrupts.ts'
import { ntpFlags } from './collect-ntp.ts'
import { pcideviceFlags } from './collect-pcidevice.ts'
import { perfFlags } from './collect-perf.ts'
import { qdiscFlags } from './collect-qdisc.ts'
import { runitFlags } from './collect-runit.ts'
import { slabinfoFlags } from './collect-slabinfo.ts'
import { supervisordFlags } from './collect-supervisord.ts'
import { sysctlFlags } from './collect-sysctl.ts'
import { systemdFlags } from './collect-systemd.ts'

/** Flags of the collectors that are off by default. */
export const optionalCollectorFlags: readonly FlagSpec[] = [
  ...ethtoolFlags,
  ...interruptsFlags,
  ...ntpFlags,
  ...pcideviceFlags,
  ...perfFlags,
  ...qdiscFlags,
  ...runitFlags,
  ...slabinfoFlags,
  ...supervisordFlags,
  ...sysctlFlags,
  ...systemdFlags,
]
