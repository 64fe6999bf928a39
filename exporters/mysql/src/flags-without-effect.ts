import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'

// Collectors of the original that are not built yet. They are accepted so that existing command lines start; the command prints one
// warning for each that is given.

const reason = 'this collector is not built yet'

export const collectorsNotBuilt: readonly string[] = [
  'engine_tokudb_status',
  'info_schema.replica_host',
  'info_schema.rocksdb_perf_context',
]

export const flagsWithoutEffect: readonly FlagSpec[] = [
  ...collectorsNotBuilt.map((name): FlagSpec => ({
    name: `collect.${name}`,
    type: 'boolean',
    help: `Accepted; ${reason}.`,
    hidden: true,
    withoutEffect: reason,
  })),
  {
    name: 'web.systemd-socket',
    type: 'boolean',
    help: 'Accepted; listening on sockets of systemd is not built yet.',
    hidden: true,
    withoutEffect: 'listening on sockets of systemd is not built yet',
  },
]
