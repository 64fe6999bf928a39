import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'

// Accepted so that existing command lines start; the command prints one warning for each that is given.

/** For tests of the original alone. */
const fixtures = ['qdisc.fixtures', 'wifi.fixtures']

export const flagsWithoutEffect: readonly FlagSpec[] = [
  ...fixtures.map((name): FlagSpec => ({ ...common(name, "it names files for the original's own tests"), type: 'string' })),
  { ...common('ethtool.linkinfo-sorted', 'link modes are sorted'), type: 'boolean' },
  { name: 'runtime.gomaxprocs', type: 'number', hidden: true, help: 'Threads of the Go runtime.', withoutEffect: 'there is no Go runtime' },
]

function common(name: string, reason: string): Omit<FlagSpec, 'type'> {
  return { name: `collector.${name}`, help: `Accepted; ${reason}.`, hidden: true, withoutEffect: reason }
}
