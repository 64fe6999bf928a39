import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'

// Collectors of the original that are not built yet, and the flags that only they read. They are accepted so that existing command lines
// start; the command prints one warning for each that is given.

const booleans = [
  'ethtool.linkinfo-sorted',
  'perf.disable-cache-profilers',
  'perf.disable-hardware-profilers',
  'perf.disable-software-profilers',
]

const texts = ['perf.cache-profilers', 'perf.cpus', 'perf.hardware-profilers', 'perf.software-profilers', 'qdisc.fixtures', 'wifi.fixtures']

const repeatables = ['perf.tracepoint']

const reason = 'this collector is not built yet'

export const flagsWithoutEffect: readonly FlagSpec[] = [
  ...booleans.map((name): FlagSpec => ({ ...common(name), type: 'boolean' })),
  ...texts.map((name): FlagSpec => ({ ...common(name), type: 'string' })),
  ...repeatables.map((name): FlagSpec => ({ ...common(name), type: 'string', repeatable: true })),
  { name: 'runtime.gomaxprocs', type: 'number', hidden: true, help: 'Threads of the Go runtime.', withoutEffect: 'there is no Go runtime' },
]

function common(name: string): Omit<FlagSpec, 'type'> {
  return { name: `collector.${name}`, help: `Accepted; ${reason}.`, hidden: true, withoutEffect: reason }
}
