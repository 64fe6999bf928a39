import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import type { RouteConfig } from '../config-shape.ts'
import { compareMatchers, matchesAll, printMatchers } from '../matcher-parser.ts'
import { Labels as LabelSet } from '@narthex/model/labels'

const groupWaitMsDefault = 30_000
const groupIntervalMsDefault = 300_000
const repeatIntervalMsDefault = 14_400_000

/** A node of the routing tree with everything inherited filled in. */
export interface Route {
  /** Matchers of the nodes from the root to here, `{}/{team="b"}`: the first half of group keys. */
  readonly key: string
  readonly receiver: string
  readonly groupBy: ReadonlySet<string>
  readonly groupByAll: boolean
  readonly groupWaitMs: number
  readonly groupIntervalMs: number
  readonly repeatIntervalMs: number
  readonly muteTimeIntervals: readonly string[]
  readonly activeTimeIntervals: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly matchers: readonly Matcher[]
  readonly continue: boolean
  readonly routes: readonly Route[]
}

export function buildRoute(config: RouteConfig, parent?: Route): Route {
  const matchers = [...config.matchers].sort(compareMatchers)
  const own = printMatchers(matchers)
  const grouping = config.groupBy
  const base = {
    key: parent === undefined ? own : `${parent.key}/${own}`,
    receiver: config.receiver !== undefined && config.receiver !== '' ? config.receiver : (parent?.receiver ?? ''),
    groupBy: grouping === undefined ? (parent?.groupBy ?? new Set<string>()) : new Set(grouping.filter((name) => name !== '...')),
    groupByAll: grouping === undefined ? (parent?.groupByAll ?? false) : grouping.includes('...'),
    groupWaitMs: config.groupWaitMs ?? parent?.groupWaitMs ?? groupWaitMsDefault,
    groupIntervalMs: config.groupIntervalMs ?? parent?.groupIntervalMs ?? groupIntervalMsDefault,
    repeatIntervalMs: config.repeatIntervalMs ?? parent?.repeatIntervalMs ?? repeatIntervalMsDefault,
    muteTimeIntervals: config.muteTimeIntervals,
    activeTimeIntervals: config.activeTimeIntervals,
    labels: { ...parent?.labels, ...config.labels },
    matchers,
    continue: config.continue,
  }
  const routes: Route[] = []
  const route: Route = { ...base, routes }
  for (const child of config.routes) routes.push(buildRoute(child, route))
  return route
}

/** The routes an alert takes: the deepest matching ones; the first match among siblings ends the search unless it continues. */
export function matchRoutes(route: Route, labels: Labels): Route[] {
  if (!matchesAll(route.matchers, labels)) return []
  const found: Route[] = []
  for (const child of route.routes) {
    const matches = matchRoutes(child, labels)
    found.push(...matches)
    if (matches.length > 0 && !child.continue) break
  }
  return found.length > 0 ? found : [route]
}

/** The labels by which the route groups this alert. */
export function pickGroupLabels(route: Route, labels: Labels): Labels {
  if (route.groupByAll) return labels
  return labels.size === 0 || route.groupBy.size === 0 ? LabelSet.empty : labels.keep(...route.groupBy)
}

/** Names of all receivers that some route uses. */
export function collectReceivers(route: Route, names = new Set<string>()): Set<string> {
  names.add(route.receiver)
  for (const child of route.routes) collectReceivers(child, names)
  return names
}
