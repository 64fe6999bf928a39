import type { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { isSameMatcher, matchesAll } from '../matcher-parser.ts'

export type SilenceState = 'pending' | 'active' | 'expired'

/** One silence; never changed in place. */
export interface Silence {
  readonly id: string
  readonly matchers: readonly Matcher[]
  readonly startsAtNs: bigint
  readonly endsAtNs: bigint
  readonly updatedAtNs: bigint
  readonly createdBy: string
  readonly comment: string
}

export function silenceState(silence: Silence, nowNs: bigint): SilenceState {
  if (nowNs < silence.startsAtNs) return 'pending'
  // The end is exclusive: a silence ended in this millisecond is over in it.
  return nowNs >= silence.endsAtNs ? 'expired' : 'active'
}

export function silences(silence: Silence, labels: Labels): boolean {
  return matchesAll(silence.matchers, labels)
}

/** The reason why this cannot be a silence, or undefined. */
export function findSilenceProblem(silence: Silence): string | undefined {
  const { matchers, startsAtNs, endsAtNs } = silence
  if (matchers.length === 0) return 'at least one matcher required'
  const unnamed = matchers.findIndex((matcher) => matcher.name === '')
  if (unnamed >= 0) return `invalid label matcher ${unnamed}: invalid label name ""`
  if (matchers.every((matcher) => matcher.matches(''))) return 'at least one matcher must not match the empty string'
  return endsAtNs < startsAtNs ? 'end time must not be before start time' : undefined
}

/** Whether `next` may replace `previous` under the same id: the same matchers, and nothing of the past rewritten. */
export function canUpdateInPlace(previous: Silence, next: Silence, nowNs: bigint): boolean {
  if (previous.matchers.length !== next.matchers.length) return false
  if (!previous.matchers.every((matcher, i) => isSameMatcher(matcher, next.matchers[i]!))) return false
  const state = silenceState(previous, nowNs)
  if (state === 'pending') return next.startsAtNs >= nowNs
  if (state === 'expired') return false
  return next.startsAtNs / 1_000_000_000n === previous.startsAtNs / 1_000_000_000n && next.endsAtNs >= nowNs
}

/** The order of the API: active by end, pending by start, expired by end with the newest first. */
export function compareSilences(a: Silence, b: Silence, nowNs: bigint): number {
  const state = silenceState(a, nowNs)
  const byState = states.indexOf(state) - states.indexOf(silenceState(b, nowNs))
  if (byState !== 0) return byState
  if (state === 'pending') return compareTimes(a.startsAtNs, b.startsAtNs)
  return state === 'active' ? compareTimes(a.endsAtNs, b.endsAtNs) : compareTimes(b.endsAtNs, a.endsAtNs)
}

const states: readonly SilenceState[] = ['active', 'pending', 'expired']

function compareTimes(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
