import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { compareBytewise } from '@narthex/model/compare'
import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { isValidLegacyLabelName, isValidLegacyMetricName } from '@narthex/model/name'
import { formatFloatG } from '@narthex/model/number'
import { SampleColumns } from '@narthex/model/sample-columns'
import { isStaleWords } from '@narthex/model/stale'
import type { Queryable } from '@narthex/tsdb/select/queryable'

export interface Federation {
  /** One set of matchers a selector. */
  readonly sets: readonly (readonly Matcher[])[]
  readonly timeMs: number
  /** How old the newest sample of a series may be. */
  readonly lookbackMs: number
  readonly externalLabels: Labels
  /** False: what is no name of Prometheus 2 is written with underscores. */
  readonly allowsUtf8: boolean
}

interface Newest {
  readonly name: string
  readonly labels: Labels
  readonly timeMs: number
  readonly value: number
}

const lineBytes = 48

/**
 * Writes the newest sample of each selected series as exposition text 0.0.4, families by name, all of type untyped, each line with its time. A series whose
 * newest sample is a stale marker is left out, as is one that has no name. Series get the external labels that they lack, and an empty `instance`.
 */
export function answerFederation(query: Federation, reader: Queryable, writer: ByteWriter & { hold(bytes: number): void }): void {
  const found = collectNewest(query, reader, writer)
  found.sort((a, b) => compareBytewise(a.name, b.name) || Labels.compare(a.labels, b.labels))
  const global = query.externalLabels.has('instance') ? query.externalLabels.pairs : insertInstance(query.externalLabels.pairs)
  let family = ''
  for (const { name, labels, timeMs, value } of found) {
    const shown = query.allowsUtf8 ? name : escapeName(name)
    const isPlain = isValidLegacyMetricName(shown)
    if (name !== family) writer.utf8(`# TYPE ${isPlain ? shown : quote(shown)} untyped\n`)
    family = name
    const pairs = describePairs(labels, global, query.allowsUtf8)
    if (!isPlain) pairs.unshift(quote(shown))
    const braces = pairs.length === 0 ? '' : `{${pairs.join(',')}}`
    writer.utf8(`${isPlain ? shown : ''}${braces} ${value === 0 ? '0' : formatFloatG(value)} ${timeMs}\n`)
  }
}

function collectNewest({ sets, timeMs, lookbackMs }: Federation, reader: Queryable, writer: { hold(bytes: number): void }): Newest[] {
  const found: Newest[] = []
  const seen = new Set<string>()
  const columns = new SampleColumns()
  for (const matchers of sets) {
    // As in Prometheus `{}` selects nothing.
    if (matchers.length === 0) continue
    // Open on the left, as a query's lookback.
    const series = reader.select(matchers, timeMs - lookbackMs + 1, timeMs)
    while (series.next()) {
      columns.clear()
      series.samples(columns)
      const last = columns.length - 1
      if (last < 0 || isStaleWords(columns.words[2 * last]!, columns.words[2 * last + 1]!)) continue
      const labels = series.labels()
      const name = labels.get('__name__')
      const key = labels.key()
      if (name === '' || seen.has(key)) continue
      seen.add(key)
      writer.hold(key.length * 4 + lineBytes)
      found.push({ name, labels, timeMs: columns.times[last]!, value: columns.values[last]! })
    }
  }
  return found
}

/** Labels of the series, then the external ones that it lacks. */
function describePairs(labels: Labels, global: readonly string[], allowsUtf8: boolean): string[] {
  const described: string[] = []
  const add = (name: string, value: string): void => {
    const shown = allowsUtf8 ? name : escapeName(name)
    described.push(`${isValidLegacyLabelName(shown) ? shown : quote(shown)}=${quote(value)}`)
  }
  for (let i = 0; i < labels.pairs.length; i += 2) if (labels.pairs[i] !== '__name__') add(labels.pairs[i]!, labels.pairs[i + 1]!)
  for (let i = 0; i < global.length; i += 2) if (!labels.has(global[i]!)) add(global[i]!, global[i + 1]!)
  return described
}

/** An empty one, so that the receiver does not put its own in. */
function insertInstance(pairs: readonly string[]): string[] {
  let at = 0
  while (at < pairs.length && compareBytewise(pairs[at]!, 'instance') < 0) at += 2
  return pairs.toSpliced(at, 0, 'instance', '')
}

function quote(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"')}"`
}

/** Prometheus' escaping with underscores: one for each character that may not be there. */
function escapeName(name: string): string {
  return isValidLegacyMetricName(name) ? name : name.replace(/^[0-9]|[^a-zA-Z0-9_:]/gu, '_')
}
