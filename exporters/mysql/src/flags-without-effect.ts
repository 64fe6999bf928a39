import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'

// Accepted so that existing command lines start; the command prints one warning for each that is given.

export const flagsWithoutEffect: readonly FlagSpec[] = [
  {
    name: 'web.systemd-socket',
    type: 'boolean',
    help: 'Accepted; listening on sockets of systemd is not built yet.',
    hidden: true,
    withoutEffect: 'listening on sockets of systemd is not built yet',
  },
]
