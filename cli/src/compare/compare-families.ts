import type { FamilySample, FamilyType, MetricFamily } from '@narthex/exporter-kit/family-parser'
import { isClose } from './compare-answers.ts'

/** One scrape, by family name. */
export type Families = ReadonlyMap<string, MetricFamily>

/** Two readings of one exporter between which another one was read: a value may lie anywhere between theirs. */
export interface ValueRange {
  readonly low: number
  readonly high: number
}

/** How two exporters differ in one point. `original` is the one whose answers are wanted. */
export type FamilyDifference =
  | { readonly kind: 'missing' | 'additional'; readonly family: MetricFamily; readonly labelNames: readonly string[] }
  | { readonly kind: 'type'; readonly name: string; readonly want: FamilyType; readonly got: FamilyType }
  | { readonly kind: 'labels'; readonly name: string; readonly missing: readonly string[]; readonly additional: readonly string[] }
  | { readonly kind: 'missing sample' | 'additional sample'; readonly name: string; readonly sample: string; readonly value: number }
  | { readonly kind: 'value'; readonly name: string; readonly sample: string; readonly want: ValueRange; readonly got: number }

export interface FamilyComparison {
  /** Families that were compared, of either exporter. */
  readonly families: number
  readonly same: number
  /** Samples whose value, or whose being there, changed between the two readings of the original: nothing can be said of them. */
  readonly moved: number
  /** Families that `isIgnored` left out. */
  readonly ignored: number
  /** In the order of the families' names. */
  readonly differences: readonly FamilyDifference[]
}

export interface CompareFamiliesOptions {
  readonly isIgnored: (name: string) => boolean
  /** Whether values are compared, or only families, types and label sets. */
  readonly comparesValues: boolean
  /** Share of the greater value by which values of this family may differ. */
  readonly toleranceOf: (name: string) => number
  /** A second reading of the original, after the other one: see `ValueRange`. */
  readonly later?: Families
}

export function byName(families: readonly MetricFamily[]): Families {
  return new Map(families.map((family) => [family.name, family]))
}

/** Compares what two exporters show: families, types, label sets, values. */
export function compareFamilies(original: Families, other: Families, options: CompareFamiliesOptions): FamilyComparison {
  const names = [...new Set([...original.keys(), ...other.keys()])].sort()
  const compared = names.filter((name) => !options.isIgnored(name))
  const differences: FamilyDifference[] = []
  let same = 0
  let moved = 0
  for (const name of compared) {
    const before = differences.length
    const [want, got] = [original.get(name), other.get(name)]
    const later = options.later?.get(name)
    if (want !== undefined && got !== undefined) moved += compareFamily(want, got, later, options, differences)
    else if (want !== undefined) {
      // Gone by itself, or never there.
      if (options.later !== undefined && later === undefined) moved += want.samples.length
      else differences.push({ kind: 'missing', family: want, labelNames: labelNamesOf(want) })
    } else if (later !== undefined) moved += later.samples.length
    else differences.push({ kind: 'additional', family: got!, labelNames: labelNamesOf(got!) })
    if (differences.length === before) same++
  }
  return { families: compared.length, same, moved, ignored: names.length - compared.length, differences }
}

/** Adds what differs to `differences`; gives the number of samples that moved. */
function compareFamily(
  want: MetricFamily,
  got: MetricFamily,
  later: MetricFamily | undefined,
  options: CompareFamiliesOptions,
  differences: FamilyDifference[],
): number {
  const { name } = want
  if (want.type !== got.type) differences.push({ kind: 'type', name, want: want.type, got: got.type })
  const [wantedLabels, gotLabels] = [labelNamesOf(want), labelNamesOf(got)]
  const missing = wantedLabels.filter((label) => !gotLabels.includes(label))
  const additional = gotLabels.filter((label) => !wantedLabels.includes(label))
  if (missing.length + additional.length > 0) differences.push({ kind: 'labels', name, missing, additional })
  // A label that only one of them has is told once; the samples are compared without it.
  const dropped = new Set([...missing, ...additional])
  const wantedSamples = indexSamples(want, dropped)
  const gotSamples = indexSamples(got, dropped)
  const laterSamples = options.later === undefined ? undefined : later === undefined ? new Map() : indexSamples(later, dropped)
  let moved = 0
  for (const [sample, indexed] of wantedSamples) {
    const own = gotSamples.get(sample)
    const last = laterSamples === undefined ? indexed : laterSamples.get(sample)
    if (last === undefined) moved++
    else if (own === undefined) differences.push({ kind: 'missing sample', name, sample, value: indexed.value })
    else if (options.comparesValues && !indexed.isAmbiguous && !own.isAmbiguous) {
      const range = { low: Math.min(indexed.value, last.value), high: Math.max(indexed.value, last.value) }
      const verdict = judgeValue(indexed, last, range, own.value, options.toleranceOf(name))
      if (verdict === 'moved') moved++
      else if (verdict === 'different') differences.push({ kind: 'value', name, sample, want: range, got: own.value })
    }
  }
  for (const [sample, { value }] of gotSamples) {
    if (wantedSamples.has(sample)) continue
    if (laterSamples?.has(sample) === true) moved++
    else differences.push({ kind: 'additional sample', name, sample, value })
  }
  return moved
}

interface IndexedSample {
  readonly value: number
  readonly isCounter: boolean
  readonly isUntyped: boolean
  /** Several samples have this key once the labels are dropped that only one exporter has. */
  readonly isAmbiguous: boolean
}

function judgeValue(
  first: IndexedSample,
  last: IndexedSample,
  { low, high }: ValueRange,
  got: number,
  relativeTolerance: number,
): 'same' | 'moved' | 'different' {
  const tolerance = { relativeTolerance, absoluteTolerance: 0, toldMax: 0 }
  if (isClose(first.value, got, tolerance) || isClose(last.value, got, tolerance)) return 'same'
  if (isClose(first.value, last.value, { ...tolerance, relativeTolerance: 0 })) return 'different'
  if (got >= low && got <= high) return 'same'
  // What only grows must lie between; anything else may have been elsewhere in between.
  const growsOnly = first.isCounter || (first.isUntyped && last.value > first.value)
  return growsOnly ? 'different' : 'moved'
}

function indexSamples(family: MetricFamily, dropped: ReadonlySet<string>): Map<string, IndexedSample> {
  const indexed = new Map<string, IndexedSample>()
  for (const sample of family.samples) {
    const key = describeSample(family.name, sample, dropped)
    indexed.set(key, {
      value: sample.value,
      isCounter: family.type === 'counter' || family.type === 'histogram' || (family.type === 'summary' && sample.suffix !== ''),
      isUntyped: family.type === 'untyped',
      isAmbiguous: indexed.has(key),
    })
  }
  return indexed
}

function labelNamesOf({ samples }: MetricFamily): string[] {
  const names = new Set<string>()
  for (const { labels } of samples) for (let i = 0; i < labels.length; i += 2) names.add(labels[i]!)
  return [...names].sort()
}

/** `node_cpu_seconds_total{cpu="0",mode="idle"}` without the labels in `dropped`. */
function describeSample(name: string, { suffix, labels }: FamilySample, dropped: ReadonlySet<string>): string {
  const pairs: string[] = []
  for (let i = 0; i < labels.length; i += 2) if (!dropped.has(labels[i]!)) pairs.push(`${labels[i]}=${JSON.stringify(labels[i + 1])}`)
  return pairs.length === 0 ? name + suffix : `${name}${suffix}{${pairs.join()}}`
}
