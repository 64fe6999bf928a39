import type { FamilyType, MetricFamily } from './family-parser.ts'

export type Families = ReadonlyMap<string, MetricFamily>

/** A value of ours with what the peer showed before and after. */
export interface ComparedValue {
  readonly family: MetricFamily
  /** `name_suffix{label="value",…}` */
  readonly key: string
  readonly value: number
  readonly before: number
  /** As `before` where the peer does not show the sample any more. */
  readonly after: number
}

/** What may differ from an original of some version: stated by each exporter's test. Patterns of families are of their whole names. */
export interface PeerExceptions {
  /** Families that are not compared. Default: what another process, and Go's runtime, say of themselves. */
  readonly ignoredFamilies?: RegExp
  /** Families that came after the peer's version. */
  readonly newerFamilies?: RegExp
  /** Families that went after it. */
  readonly olderFamilies?: RegExp
  /** Types that changed since. */
  readonly newerTypes?: ReadonlyMap<string, FamilyType>
  /** Labels that came after it, by family. */
  readonly newerLabels?: readonly (readonly [families: RegExp, label: string])[]
  /** Families of which the names of labels alone are compared. */
  readonly otherLabelValues?: RegExp
  /** Samples that differ, as keys of `ComparedValue`. */
  readonly otherSamples?: readonly RegExp[]
  /** Families whose samples come and go from one reading to the next. */
  readonly passingSamples?: RegExp
  /** Default: `isBetween`. */
  readonly isRight?: (compared: ComparedValue) => boolean
}

const ownFamilies = /^(go_|process_|promhttp_)/

/**
 * How ours differ from those of another exporter of the same subject, which was read before and after: families, types, labels, and values that
 * do not lie between the two readings. One line each, none if nothing differs.
 */
export function findPeerDifferences(ours: Families, before: Families, after: Families, exceptions: PeerExceptions): string[] {
  const { ignoredFamilies = ownFamilies, newerFamilies, newerTypes, olderFamilies } = exceptions
  const differences: string[] = []
  for (const [name, theirs] of before) {
    if (ignoredFamilies.test(name) || olderFamilies?.test(name) === true) continue
    const own = ours.get(name)
    const type = newerTypes?.get(name) ?? theirs.type
    if (own === undefined) differences.push(`${name}: missing`)
    else if (own.type !== type) differences.push(`${name}: want type ${type}, got ${own.type}`)
    else differences.push(...compareSamples(own, theirs, after.get(name), exceptions))
  }
  for (const name of ours.keys()) {
    if (!ignoredFamilies.test(name) && !before.has(name) && newerFamilies?.test(name) !== true)
      differences.push(`${name}: not in the original`)
  }
  return differences
}

/** Whether a value lies where one that moves in one direction must: NaN where both are. */
export function isBetween({ after, before, value }: Pick<ComparedValue, 'after' | 'before' | 'value'>, slack = 0): boolean {
  if (Number.isNaN(value) || Number.isNaN(before)) return Number.isNaN(value) && Number.isNaN(before)
  return value >= Math.min(before, after) - slack && value <= Math.max(before, after) + slack
}

function compareSamples(own: MetricFamily, theirs: MetricFamily, later: MetricFamily | undefined, exceptions: PeerExceptions): string[] {
  const { isRight = isBetween, otherSamples = [], passingSamples } = exceptions
  const [ownValues, lows, highs] = [own, theirs, later].map((family) => valuesByKey(family, exceptions)) as [Values, Values, Values]
  const differences: string[] = []
  const isOther = (key: string): boolean => otherSamples.some((pattern) => pattern.test(key))
  const isPassing = passingSamples?.test(own.name) === true
  for (const [key, low] of lows) {
    if (isOther(key)) continue
    const value = ownValues.get(key)
    const high = highs.get(key)
    // What one scrape does is seen by the next: a sample may be new, or gone.
    if (value === undefined) {
      if (high !== undefined && !isPassing) differences.push(`${key}: missing`)
    } else if (!isRight({ family: own, key, value, before: low, after: high ?? low })) {
      differences.push(`${key}: want ${low} to ${high}, got ${value}`)
    }
  }
  for (const key of ownValues.keys()) {
    if (!lows.has(key) && !highs.has(key) && !isOther(key) && !isPassing) differences.push(`${key}: not in the original`)
  }
  return differences
}

type Values = ReadonlyMap<string, number>

function valuesByKey(family: MetricFamily | undefined, { newerLabels = [], otherLabelValues }: PeerExceptions): Values {
  const values = new Map<string, number>()
  if (family === undefined) return values
  const { name, samples } = family
  const dropped = newerLabels.filter(([pattern]) => pattern.test(name)).map(([, label]) => label)
  const hasOtherValues = otherLabelValues?.test(name) === true
  for (const { labels, suffix, value } of samples) {
    const pairs: string[] = []
    for (let i = 0; i < labels.length; i += 2) {
      if (!dropped.includes(labels[i]!)) pairs.push(hasOtherValues ? labels[i]! : `${labels[i]}="${labels[i + 1]}"`)
    }
    values.set(`${name}${suffix}{${pairs.join()}}`, value)
  }
  return values
}
