import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { compareBytewise } from '@narthex/model/compare'
import type { Labels } from '@narthex/model/labels'
import { isValidLegacyLabelName, isValidLegacyMetricName } from '@narthex/model/name'
import { formatFloatG } from '@narthex/model/number'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import { classicBuckets, collectNewest, familyType, type FederatedSeries, type Selection } from './federated-series.ts'
import { ProtobufFederationWriter } from './federation-protobuf.ts'

export interface Federation extends Omit<Selection, 'withNativeHistograms'> {
  readonly externalLabels: Labels
  /** False: what is no name of Prometheus 2 is written with underscores. */
  readonly allowsUtf8: boolean
  readonly format: 'text' | 'protobuf'
}

interface FederationWriter {
  beginFamily(name: string, first: FederatedSeries): void
  /** `pairs` are name, value, … in their order. */
  sample(pairs: readonly string[], sample: FederatedSeries): void
  endFamily(): void
}

/**
 * Writes the newest sample of each selected series, families by name, each sample with its time: floats as of type untyped, native histograms as such where
 * the format has them (protobuf), those with custom buckets as classic ones. A series whose newest sample is a stale marker is left out, as is one that has no
 * name. Series get the external labels that they lack, and an empty `instance`.
 */
export function answerFederation(query: Federation, reader: Queryable, out: ByteWriter & { hold(bytes: number): void }): void {
  const found = collectNewest({ ...query, withNativeHistograms: query.format === 'protobuf' }, reader, out)
  const global = query.externalLabels.has('instance') ? query.externalLabels.pairs : insertInstance(query.externalLabels.pairs)
  const writer: FederationWriter = query.format === 'protobuf' ? new ProtobufFederationWriter(out) : new TextFederationWriter(out)
  const show = (name: string) => (query.allowsUtf8 ? name : escapeName(name))
  let before: FederatedSeries | undefined
  for (const sample of found) {
    if (sample.name !== before?.name || familyType(sample) !== familyType(before)) writer.beginFamily(show(sample.name), sample)
    before = sample
    writer.sample(listPairs(sample.labels, global, show), sample)
  }
  writer.endFamily()
}

/** Exposition text 0.0.4. */
class TextFederationWriter implements FederationWriter {
  readonly #out: ByteWriter
  #name = ''
  #isPlain = true

  constructor(out: ByteWriter) {
    this.#out = out
  }

  beginFamily(name: string, first: FederatedSeries): void {
    this.#name = name
    this.#isPlain = isValidLegacyMetricName(name)
    this.#out.utf8(`# TYPE ${this.#isPlain ? name : quote(name)} ${familyType(first)}\n`)
  }

  sample(pairs: readonly string[], { timeMs, value, histogram }: FederatedSeries): void {
    const described: string[] = []
    for (let i = 0; i < pairs.length; i += 2)
      described.push(`${isValidLegacyLabelName(pairs[i]!) ? pairs[i] : quote(pairs[i]!)}=${quote(pairs[i + 1]!)}`)
    if (histogram === undefined) return this.#line('', described, value, timeMs)
    for (const { upper, cumulative } of classicBuckets(histogram)) {
      this.#line('_bucket', [...described, `le="${formatFloatG(upper)}"`], cumulative, timeMs)
    }
    this.#line('_sum', described, histogram.sum, timeMs)
    this.#line('_count', described, histogram.count, timeMs)
  }

  endFamily(): void {}

  #line(suffix: string, pairs: readonly string[], value: number, timeMs: number): void {
    const name = this.#name + suffix
    const all = this.#isPlain ? pairs : [quote(name), ...pairs]
    const braces = all.length === 0 ? '' : `{${all.join(',')}}`
    this.#out.utf8(`${this.#isPlain ? name : ''}${braces} ${value === 0 ? '0' : formatFloatG(value)} ${timeMs}\n`)
  }
}

/** Labels of the series, then the external ones that it lacks. */
function listPairs(labels: Labels, global: readonly string[], show: (name: string) => string): string[] {
  const pairs: string[] = []
  for (let i = 0; i < labels.pairs.length; i += 2)
    if (labels.pairs[i] !== '__name__') pairs.push(show(labels.pairs[i]!), labels.pairs[i + 1]!)
  for (let i = 0; i < global.length; i += 2) if (!labels.has(global[i]!)) pairs.push(show(global[i]!), global[i + 1]!)
  return pairs
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
