import { compileRegex } from '@narthex/model/regex'
import { isMap } from './yaml-library.ts'
import { createMatcher, parseMatchers, type MatcherConfig } from './alertmanager-matcher.ts'
import { alertmanagerGlobal, applyGlobal, type AlertmanagerGlobal } from './alertmanager-global.ts'
import { receiver, type ReceiverConfig } from './alertmanager-receivers.ts'
import { anything, boolean, convert, durationMs, filePath, list, map, string } from './codec.ts'
import { ConfigError } from './config-error.ts'
import { field, object, optional, type Checker, type ObjectCodec } from './object-codec.ts'
import { namedTimeIntervals, type NamedTimeIntervals } from './time-interval.ts'
import { openYaml, type Codec, type DecodeContext } from './yaml-decode.ts'
import { printYaml } from './yaml-print.ts'

export interface RouteConfig {
  /** undefined: the parent's. The root always has one. */
  readonly receiver?: string
  /** undefined: the parent's; empty: all alerts in one group. */
  readonly groupBy?: readonly string[]
  /** `group_by: ['...']`: group by every label. */
  readonly groupByAll: boolean
  /** All must match; `match` and `match_re` are here too. */
  readonly matchers: readonly MatcherConfig[]
  readonly continues: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly groupWaitMs?: number
  readonly groupIntervalMs?: number
  readonly repeatIntervalMs?: number
  readonly muteTimeIntervals: readonly string[]
  readonly activeTimeIntervals: readonly string[]
  readonly routes: readonly RouteConfig[]
}

export interface InhibitRuleConfig {
  readonly name: string
  readonly sourceMatchers: readonly MatcherConfig[]
  readonly targetMatchers: readonly MatcherConfig[]
  readonly equal: readonly string[]
}

/** A whole `alertmanager.yml`, checked; the global settings are filled into the receivers. */
export interface AlertmanagerConfig {
  readonly path: string
  readonly text: string
  readonly global: AlertmanagerGlobal
  /** Globs of template files. */
  readonly templates: readonly string[]
  readonly route: RouteConfig
  readonly receivers: readonly ReceiverConfig[]
  readonly inhibitRules: readonly InhibitRuleConfig[]
  /** `time_intervals` and the older `mute_time_intervals`. */
  readonly timeIntervals: readonly NamedTimeIntervals[]
  /** Keys with a value that nothing acts on so far. */
  readonly notYet: readonly string[]
  /** The effective config with secrets as `<secret>`, for the status page. */
  redactedYaml(): string
}

interface RawRoute {
  readonly receiver: string
  readonly groupBy?: readonly string[]
  readonly match: readonly MatcherConfig[]
  readonly matchRe: readonly MatcherConfig[]
  readonly matchers: readonly MatcherConfig[]
  readonly muteTimeIntervals: readonly string[]
  readonly activeTimeIntervals: readonly string[]
  readonly continues: boolean
  readonly labels: Readonly<Record<string, string>>
  readonly routes: readonly RawRoute[]
  readonly groupWaitMs?: number
  readonly groupIntervalMs?: number
  readonly repeatIntervalMs?: number
}

interface RawConfig {
  readonly global: AlertmanagerGlobal
  readonly route?: RawRoute
  readonly inhibitRules: readonly InhibitRuleConfig[]
  readonly receivers: readonly ReceiverConfig[]
  readonly templates: readonly string[]
  readonly muteTimeIntervals: readonly NamedTimeIntervals[]
  readonly timeIntervals: readonly NamedTimeIntervals[]
  readonly eventRecorder?: unknown
  readonly tracing?: unknown
}

const equalMap: Codec<readonly MatcherConfig[]> = convert(
  map(string),
  (record) => Object.entries(record).map(([name, value]) => ({ name, type: '=' as const, value })),
  (matchers) => Object.fromEntries(matchers.map(({ name, value }) => [name, value])),
)

/** `match_re`: a label without an expression is an error, not a default. */
const regexMap: Codec<readonly MatcherConfig[]> = {
  goType: 'config.MatchRegexps',
  decode(node, context) {
    const record = map(string, { goType: 'config.MatchRegexps' }).decode(node, context)
    return Object.entries(record).map(([name, value]) => {
      if (value === '') return context.fail(isMap(node) ? node : undefined, `invalid regexp value for ${JSON.stringify(name)}`)
      try {
        compileRegex(value, { dotMatchesNewline: false })
      } catch (error) {
        return context.fail(node, error instanceof Error ? error.message : String(error), error)
      }
      // Alertmanager's matcher has the anchored text, and group keys are made of it: with the bare one messages would repeat after a move.
      return createMatcher(name, '=~', `^(?:${value})$`)
    })
  },
  encode: (matchers) => Object.fromEntries(matchers.map(({ name, value }) => [name, value.slice('^(?:'.length, -')$'.length)])),
}

const matcherList: Codec<readonly MatcherConfig[]> = {
  goType: 'config.Matchers',
  decode(node, context) {
    const texts = list(string, { goType: 'config.Matchers' }).decode(node, context)
    return texts.flatMap((text) => {
      try {
        return parseMatchers(text)
      } catch (error) {
        return context.fail(node, error instanceof Error ? error.message : String(error), error)
      }
    })
  },
  encode: (matchers) => matchers.map(({ name, type, value }) => `${name}${type}${JSON.stringify(value)}`),
}

const route: ObjectCodec<RawRoute> = object<RawRoute>(
  'config.plain',
  {
    receiver: field('receiver', string, ''),
    groupBy: optional('group_by', list(string), { always: true }),
    match: field('match', equalMap, []),
    matchRe: field('match_re', regexMap, []),
    matchers: field('matchers', matcherList, []),
    muteTimeIntervals: field('mute_time_intervals', list(string), []),
    activeTimeIntervals: field('active_time_intervals', list(string), []),
    continues: field('continue', boolean, false, { always: true }),
    labels: field('labels', map(string), {}),
    routes: field(
      'routes',
      list<RawRoute>(
        lazy(() => route),
        { emptyText: 'empty or null route' },
      ),
      [],
    ),
    groupWaitMs: optional('group_wait', durationMs, { always: true }),
    groupIntervalMs: optional('group_interval', durationMs, { always: true }),
    repeatIntervalMs: optional('repeat_interval', durationMs, { always: true }),
  },
  { check: checkRoute },
)

// A route contains routes.
function lazy<Value>(get: () => Codec<Value>): Codec<Value> {
  return { goType: 'config.plain', decode: (node, context) => get().decode(node, context), encode: (value) => get().encode(value) }
}

function checkRoute({ groupBy, groupIntervalMs, repeatIntervalMs }: RawRoute, { fail }: Checker): void {
  const seen = new Set<string>()
  for (const label of groupBy ?? []) {
    if (label === '') fail(`invalid label name "" in group_by list`, 'group_by')
    if (seen.has(label) && label !== '...') fail(`duplicated label ${JSON.stringify(label)} in group_by`, 'group_by')
    seen.add(label)
  }
  if (seen.has('...') && seen.size > 1) fail('cannot have wildcard group_by (`...`) and other labels at the same time', 'group_by')
  if (groupIntervalMs === 0) fail('group_interval cannot be zero', 'group_interval')
  if (repeatIntervalMs === 0) fail('repeat_interval cannot be zero', 'repeat_interval')
}

interface RawInhibit {
  readonly name: string
  readonly sourceMatch: readonly MatcherConfig[]
  readonly sourceMatchRe: readonly MatcherConfig[]
  readonly sourceMatchers: readonly MatcherConfig[]
  readonly targetMatch: readonly MatcherConfig[]
  readonly targetMatchRe: readonly MatcherConfig[]
  readonly targetMatchers: readonly MatcherConfig[]
  readonly equal: readonly string[]
}

const inhibitRule: Codec<InhibitRuleConfig> = convert(
  object<RawInhibit>('config.plain', {
    name: field('name', string, ''),
    sourceMatch: field('source_match', equalMap, []),
    sourceMatchRe: field('source_match_re', regexMap, []),
    sourceMatchers: field('source_matchers', matcherList, []),
    targetMatch: field('target_match', equalMap, []),
    targetMatchRe: field('target_match_re', regexMap, []),
    targetMatchers: field('target_matchers', matcherList, []),
    equal: field('equal', list(string), []),
  }),
  (raw) => ({
    name: raw.name,
    sourceMatchers: [...raw.sourceMatch, ...raw.sourceMatchRe, ...raw.sourceMatchers],
    targetMatchers: [...raw.targetMatch, ...raw.targetMatchRe, ...raw.targetMatchers],
    equal: raw.equal,
  }),
  ({ name, sourceMatchers, targetMatchers, equal }) => ({
    name,
    sourceMatch: [],
    sourceMatchRe: [],
    sourceMatchers,
    targetMatch: [],
    targetMatchRe: [],
    targetMatchers,
    equal,
  }),
)

const rawConfig = object<RawConfig>('config.plain', {
  global: field('global', alertmanagerGlobal, alertmanagerGlobal.defaults(), { always: true }),
  route: optional('route', route),
  inhibitRules: field('inhibit_rules', list(inhibitRule, { skipsEmpty: true }), []),
  receivers: field('receivers', list(receiver, { emptyText: 'missing name in receiver' }), []),
  templates: field('templates', list(filePath), []),
  muteTimeIntervals: field('mute_time_intervals', list(namedTimeIntervals), []),
  timeIntervals: field('time_intervals', list(namedTimeIntervals), []),
  eventRecorder: optional('event_recorder', anything, { notYet: true }),
  tracing: optional('tracing', anything, { notYet: true }),
})

/** Reads and checks a whole `alertmanager.yml`. Throws ConfigError. */
export function parseAlertmanagerConfig(text: string, path: string): AlertmanagerConfig {
  return openYaml(text, { path }, (root, context) => {
    const raw = root === undefined ? rawConfig.defaults() : context.collect(() => context.read(rawConfig, root))
    const [first, ...others] = context.problems
    if (first !== undefined || raw === undefined) throw new ConfigError(path, [first!, ...others], 'unmarshal')
    return complete(raw, text, context)
  })
}

function complete(raw: RawConfig, text: string, context: DecodeContext): AlertmanagerConfig {
  const fail = (problem: string, key?: string): never => context.failAt(raw, key, problem)
  const receivers = new Map<string, ReceiverConfig>()
  const filled = raw.receivers.map((given) => {
    if (receivers.has(given.name)) context.failAt(given, 'name', `notification config name ${JSON.stringify(given.name)} is not unique`)
    const whole = applyGlobal(given, raw.global, (problem) => context.failAt(given, undefined, problem))
    receivers.set(given.name, whole)
    return whole
  })
  const root = raw.route ?? fail('no routes provided')
  checkRoot(root, context)
  const intervals = [...raw.muteTimeIntervals, ...raw.timeIntervals]
  const names = new Set<string>()
  for (const given of intervals) {
    if (names.has(given.name)) context.failAt(given, 'name', `mute time interval ${JSON.stringify(given.name)} is not unique`)
    names.add(given.name)
  }
  checkReferences(root, receivers, names, context)
  return {
    path: context.path,
    text,
    global: raw.global,
    templates: raw.templates,
    route: toRoute(root),
    receivers: filled,
    inhibitRules: raw.inhibitRules,
    timeIntervals: intervals,
    notYet: context.notYet,
    redactedYaml: () => printYaml(rawConfig.encode({ ...raw, receivers: filled })),
  }
}

function checkRoot(root: RawRoute, context: DecodeContext): void {
  const fail = (problem: string, key?: string): never => context.failAt(root, key, problem)
  if (root.receiver === '') fail('root route must specify a default receiver')
  if (root.match.length + root.matchRe.length + root.matchers.length > 0) fail('root route must not have any matchers')
  if (root.muteTimeIntervals.length > 0) fail('root route must not have any mute time intervals', 'mute_time_intervals')
  if (root.activeTimeIntervals.length > 0) fail('root route must not have any active time intervals', 'active_time_intervals')
  if (root.continues) fail('cannot have continue in root route', 'continue')
}

function checkReferences(
  given: RawRoute,
  receivers: ReadonlyMap<string, unknown>,
  intervals: ReadonlySet<string>,
  context: DecodeContext,
): void {
  if (given.receiver !== '' && !receivers.has(given.receiver)) {
    context.failAt(given, 'receiver', `undefined receiver ${JSON.stringify(given.receiver)} used in route`)
  }
  for (const name of [...given.muteTimeIntervals, ...given.activeTimeIntervals]) {
    if (!intervals.has(name)) context.failAt(given, undefined, `undefined time interval ${JSON.stringify(name)} used in route`)
  }
  for (const child of given.routes) checkReferences(child, receivers, intervals, context)
}

function toRoute(raw: RawRoute): RouteConfig {
  const { receiver: name, groupBy, match, matchRe, matchers, routes, ...rest } = raw
  const groupByAll = groupBy?.includes('...') === true
  return {
    ...rest,
    ...(name === '' ? {} : { receiver: name }),
    ...(groupBy === undefined ? {} : { groupBy: groupByAll ? [] : groupBy }),
    groupByAll,
    matchers: [...match, ...matchRe, ...matchers],
    routes: routes.map(toRoute),
  }
}

export interface AlertmanagerVerdict {
  readonly isGood: boolean
  readonly goText?: string
  readonly error?: ConfigError
}

/** The verdict that `amtool check-config` would give on a text. */
export function checkAlertmanagerConfig(text: string, path: string): AlertmanagerVerdict {
  try {
    parseAlertmanagerConfig(text, path)
    return { isGood: true }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { isGood: false, goText: error.goText, error }
  }
}
