import { fnv1a64 } from '@narthex/bytes/fnv'
import { Labels } from '@narthex/model/labels'
import type { HistogramReading } from './populate-labels.ts'

/** A target that is scraped. */
export interface Target {
  /** All labels before relabeling, for the Targets page. */
  readonly discovered: Labels
  /** The labels that go on every series: those that do not begin with `__`. */
  readonly labels: Labels
  readonly url: string
  readonly intervalMs: number
  readonly timeoutMs: number
  readonly histograms: HistogramReading
  /** `__unix_socket__`: connect to this socket, whatever address the URL has. */
  readonly socketPath: string | undefined
  /** Prometheus' hash of all labels and the URL; decides where in the interval it is scraped. */
  readonly hash: bigint
}

/** Drops the labels that configure the scrape and are not for series. */
export function makePublicLabels(labels: Labels): Labels {
  return Labels.fromPairs(labels.pairs.filter((_, i) => !labels.pairs[i & ~1]!.startsWith('__')))
}

export function hashTarget(labels: Labels, url: string): bigint {
  return fnv1a64(Buffer.from(labels.hash().toString().padStart(16, '0') + url))
}

/** Two agents with other names or external labels scrape the same target at other moments. */
export function makeOffsetSeed(hostName: string, externalLabels: Labels): bigint {
  return fnv1a64(Buffer.from(hostName + externalLabels.toString()))
}

/** Places in an interval are this far apart; in intervals under a second there are twenty. */
const placeNs = 50_000_000n
const placesLeast = 20n

/**
 * Milliseconds from now to the target's next turn: the same place in every interval, counted from 1970, whenever it is asked. Targets whose
 * places are the same are asked in one go: to wake a thread for one target costs as much as to read what it answers.
 */
export function untilNextTurnMs(target: Target, offsetSeed: bigint, nowMs: number): number {
  const intervalNs = BigInt(Math.round(target.intervalMs * 1e6))
  const nowNs = BigInt(Math.round(nowMs * 1e3)) * 1000n
  const base = intervalNs - (nowNs % intervalNs)
  const offset = (target.hash ^ offsetSeed) % intervalNs
  const step = intervalNs < placeNs * placesLeast ? intervalNs / placesLeast : placeNs
  const next = base + offset - (offset % step)
  return Number(next > intervalNs ? next - intervalNs : next) / 1e6
}
