import { Matcher } from '@narthex/model/matcher'
import { mapParts } from '../map-plan.ts'
import type { Plan } from '../plan.ts'

/**
 * Asks the storage with as few matchers as say the same: none twice, none that another one implies, a list of one value as an equality. A selector
 * whose matchers contradict each other is not asked for at all. What was written stays beside it, as `absent()` takes its labels from there.
 */
export function mergeMatchers(plan: Plan): Plan {
  if (plan.kind !== 'selector') return mapParts(plan, mergeMatchers)
  const matchers = mergeAll(plan.matchers)
  if (matchers === plan.matchers) return plan
  const fixed = matchers?.find(({ name, type }) => name === '__name__' && type === '=')
  return { ...plan, name: plan.name === '' ? (fixed?.value ?? '') : plan.name, scan: { ...plan.scan, matchers } }
}

/** undefined: no series can match all of them. The same list if there is nothing to merge. */
export function mergeAll(matchers: readonly Matcher[]): readonly Matcher[] | undefined {
  const byName = new Map<string, Matcher[]>()
  for (const matcher of matchers) {
    const known = byName.get(matcher.name)
    if (known === undefined) byName.set(matcher.name, [matcher])
    else known.push(matcher)
  }
  const merged: Matcher[] = []
  for (const ofOneName of byName.values()) {
    const kept = mergeOfOneName(ofOneName)
    if (kept === undefined) return undefined
    merged.push(...kept)
  }
  return merged.length === matchers.length && merged.every((matcher) => matchers.includes(matcher)) ? matchers : merged
}

function mergeOfOneName(matchers: readonly Matcher[]): readonly Matcher[] | undefined {
  const listing = matchers.find(({ type }) => type === '=') ?? matchers.find((matcher) => valuesOf(matcher) !== undefined)
  const listed = listing === undefined ? undefined : valuesOf(listing)
  return listing === undefined || listed === undefined ? mergeOpen(matchers) : mergeListed(listing, listed, matchers)
}

/** The values that a matcher takes, if it takes these alone. */
function valuesOf({ type, value, regex }: Matcher): readonly string[] | undefined {
  if (type === '=') return [value]
  return type === '=~' ? regex?.literals() : undefined
}

/** One of the matchers is a list of values, so the others can be asked about each of them. */
function mergeListed(listing: Matcher, listed: readonly string[], matchers: readonly Matcher[]): readonly Matcher[] | undefined {
  const kept = new Set(listed.filter((value) => matchers.every((matcher) => matcher.matches(value))))
  if (kept.size === 0) return undefined
  if (kept.size === 1) return listing.type === '=' ? [listing] : [new Matcher('=', listing.name, [...kept][0]!)]
  // Those that refuse a listed value say something that the list does not.
  return matchers.filter((matcher) => matcher === listing || listed.some((value) => !matcher.matches(value)))
}

function mergeOpen(matchers: readonly Matcher[]): readonly Matcher[] | undefined {
  const kept: Matcher[] = []
  for (const matcher of matchers) {
    if (matcher.regex?.matchesAll === true) {
      if (matcher.type === '!~') return undefined
      continue
    }
    if (!kept.some(({ type, value }) => type === matcher.type && value === matcher.value)) kept.push(matcher)
  }
  // That a value is excluded need not be said where another one refuses it anyway.
  return kept.filter((matcher) => matcher.type !== '!=' || kept.every((other) => other === matcher || other.matches(matcher.value)))
}
