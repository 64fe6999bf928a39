import type { VtsStatus, VtsZone } from './vts-status.ts'

/** What stands for a kind of zones: its part of the names, its zones, and how a zone is told from others. */
export interface ZoneKind {
  readonly name: string
  readonly zonesOf: (status: VtsStatus) => readonly VtsZone[]
  readonly labelsOf: (zone: VtsZone) => readonly string[]
}

/** The kinds of zones. The two forms of families have other names for two of their labels. */
export function makeZoneKinds(
  filterLabel: string,
  cacheLabel: string,
): Readonly<Record<'server' | 'filter' | 'upstream' | 'cache', ZoneKind>> {
  return {
    server: { name: 'server', zonesOf: (status) => status.servers, labelsOf: ({ name }) => ['host', name] },
    filter: { name: 'filter', zonesOf: (status) => status.filters, labelsOf: ({ member, name }) => ['filter', name, filterLabel, member] },
    upstream: {
      name: 'upstream',
      zonesOf: (status) => status.upstreams,
      labelsOf: ({ member, name }) => ['backend', member, 'upstream', name],
    },
    cache: { name: 'cache', zonesOf: (status) => status.caches, labelsOf: ({ name }) => [cacheLabel, name] },
  }
}
