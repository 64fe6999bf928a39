import type { ByteWriter } from '@narthex/bytes/byte-writer'
import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { formatFloat, formatTimestampSeconds } from '@narthex/model/number'
import { extractSelectors } from '@narthex/promql/parse/extract-selectors'
import { LabelsWriter } from '@narthex/promql/write-labels'
import type { Expression } from '@narthex/promql/parse/ast'
import type { ExemplarSnapshot, TextColumn } from '@narthex/tsdb/exemplars/exemplar-snapshot'
import { readLabels } from '@narthex/tsdb/wal/text-payload'

// Exemplars between two looks at whether the answer is still wanted.
const exemplarsPerCheck = 4096

interface SeriesExemplars {
  readonly labels: Labels
  /** Places in the snapshot. */
  readonly places: number[]
}

/** Writes the answer of /api/v1/query_exemplars: exemplars of series that any selector of the expression takes, by series, oldest first; both times are in it. */
export function answerExemplars(
  snapshot: ExemplarSnapshot,
  query: { readonly expression: Expression; readonly startMs: number; readonly endMs: number },
  writer: ByteWriter,
  check: () => void,
): void {
  const selectors = extractSelectors(query.expression)
  const found = [...collect(snapshot, selectors, query.startMs, query.endMs, check)].sort((a, b) => Labels.compare(a.labels, b.labels))
  const metrics = new LabelsWriter(writer)
  writer.utf8('{"status":"success","data":[')
  for (const [i, { labels, places }] of found.entries()) {
    check()
    writer.utf8(`${i === 0 ? '' : ','}{"seriesLabels":`)
    metrics.write(labels)
    writer.utf8(',"exemplars":[')
    for (const [k, place] of places.entries()) {
      if (k > 0) writer.utf8(',')
      writer.utf8('{"labels":')
      metrics.write(labelsAt(snapshot.labels, place))
      writer.utf8(`,"value":"${formatFloat(valueAt(snapshot, place))}","timestamp":${formatTimestampSeconds(snapshot.times[place]!)}}`)
    }
    writer.utf8(']}')
  }
  writer.utf8(']}')
}

function collect(
  { count, times, owners, series }: ExemplarSnapshot,
  selectors: readonly (readonly Matcher[])[],
  startMs: number,
  endMs: number,
  check: () => void,
): Iterable<SeriesExemplars> {
  const chosen = new Map<number, SeriesExemplars>()
  const refused = new Set<number>()
  for (let i = 0; i < count; i++) {
    if (i % exemplarsPerCheck === 0) check()
    const owner = owners[i]!
    if (times[i]! < startMs || times[i]! > endMs || refused.has(owner)) continue
    let known = chosen.get(owner)
    if (known === undefined) {
      const labels = labelsAt(series, owner)
      if (!selectors.some((matchers) => matchers.every((matcher) => matcher.matches(labels.get(matcher.name))))) {
        refused.add(owner)
        continue
      }
      chosen.set(owner, (known = { labels, places: [] }))
    }
    known.places.push(i)
  }
  return chosen.values()
}

function labelsAt({ bytes, starts, lengths }: TextColumn, i: number): Labels {
  // Text decoders refuse shared memory.
  const own = bytes.slice(starts[i], starts[i]! + lengths[i]!)
  return Labels.fromPairs(readLabels(own, 0, own.length))
}

function valueAt({ words }: ExemplarSnapshot, i: number): number {
  return new Float64Array(words.buffer, words.byteOffset + 8 * i, 1)[0]!
}
