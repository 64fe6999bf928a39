import { readInventory } from '@narthex/exporter-kit/inventory'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findShared } from '../kit/shared.ts'
import { assessCoverage, type Assessment, type AssessOptions, type Scene } from './assess.ts'
import { playContainerScenes, reasonAgainstContainerFamily } from './container-scenes.ts'
import { knownDifferences } from './known-differences.ts'
import { playMysqlScenes } from './mysql-scenes.ts'
import { playNginxScenes } from './nginx-scenes.ts'
import { playNodeScenes } from './node-scenes.ts'
import { playRedisScenes } from './redis-scenes.ts'

export interface Subject {
  /** The Debian program; undefined where Debian has none. */
  readonly original?: string
  readonly play: () => Promise<Scene[]>
  readonly bounds: Pick<AssessOptions, 'defaultShareMin' | 'othersShareMin' | 'inventoryShareMin' | 'reasonAgainst'>
  /** Whether dashboards and alerts must find all that the original shows. */
  readonly asksDashboards: boolean
}

/** The exporters that are compared with an original, and what is wanted of them. */
export const subjects: Readonly<Record<string, Subject>> = {
  node: {
    original: 'prometheus-node-exporter',
    play: playNodeScenes,
    bounds: { defaultShareMin: 0.98, othersShareMin: undefined },
    asksDashboards: true,
  },
  mysql: {
    original: 'prometheus-mysqld-exporter',
    play: playMysqlScenes,
    bounds: { defaultShareMin: 1, othersShareMin: 0.95 },
    asksDashboards: true,
  },
  redis: {
    original: 'prometheus-redis-exporter',
    play: playRedisScenes,
    bounds: { defaultShareMin: 1, othersShareMin: 0.95 },
    asksDashboards: true,
  },
  nginx: {
    original: 'prometheus-nginx-exporter',
    play: playNginxScenes,
    bounds: { defaultShareMin: 1, othersShareMin: 0.95 },
    asksDashboards: true,
  },
  container: {
    play: playContainerScenes,
    bounds: {
      defaultShareMin: undefined,
      othersShareMin: undefined,
      inventoryShareMin: 0.95,
      reasonAgainst: reasonAgainstContainerFamily,
    },
    asksDashboards: false,
  },
}

export interface PlayedSubject {
  readonly scenes: readonly Scene[]
  readonly assessment: Assessment
}

/** Starts what the subject needs, reads both exporters, and counts. Undefined if the shared folder with the inventories is not there. */
export async function assessSubject(name: string): Promise<PlayedSubject | undefined> {
  const { asksDashboards, bounds, play } = subjects[name]!
  const [inventory, shared] = [readInventory(name), findShared()]
  if (inventory === undefined || shared === undefined) return undefined
  const scenes = await play()
  const dashboards = asksDashboards ? { dashboards: readDashboards(shared, name) } : {}
  return { scenes, assessment: assessCoverage({ exporter: name, inventory, scenes, knownDifferences, ...bounds, ...dashboards }) }
}

/** Families of one exporter that dashboards and alerts ask for; of a histogram they name the buckets. */
function readDashboards(shared: string, exporter: string): string[] {
  const [, ...lines] = readFileSync(join(shared, 'parity', 'dashboards.tsv'), 'utf8')
    .trimEnd()
    .split('\n')
  const names = lines
    .map((line) => line.split('\t'))
    .flatMap(([, of, metric = '']) => (of === exporter ? [metric.replace(/_bucket$/, '')] : []))
  return [...new Set(names)].sort()
}
