import { sortBytewise } from '@narthex/model/compare'
import { Labels } from '@narthex/model/labels'
import type { Matcher } from '@narthex/model/matcher'
import { LabelsWriter } from '@narthex/promql/write-labels'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import { isCut, takeBody, truncatedText } from './answer-envelope.ts'
import type { AnswerWriter } from './answer-writer.ts'
import { parseMatchers } from './parse-request.ts'
import type { ListRequest } from './query-protocol.ts'
import type { QueryStorage } from './query-storage.ts'

/** Names, values or series, as `/api/v1/labels`, `/label/NAME/values` and `/series` answer. */
export function answerLists(request: ListRequest, reader: Queryable, storage: QueryStorage, buffer: AnswerWriter): Uint8Array {
  const { matchers, startMs, endMs, limit } = request
  const sets = matchers.map((selector) => parseMatchers(selector))
  buffer.begin(0)
  if (request.kind === 'series') {
    const writer = new LabelsWriter(buffer)
    const list = { values: listSeries(sets, reader, startMs, endMs, buffer), write: (labels: Labels) => writer.write(labels) }
    writeList(buffer, list, limit, () => storage.warnings())
    return takeBody(buffer)
  }
  const ask = (set: readonly Matcher[]) => {
    const values =
      request.kind === 'labelNames' ? reader.labelNames(set, startMs, endMs) : reader.labelValues(request.name, set, startMs, endMs)
    buffer.hold(values.reduce((bytes, value) => bytes + stringBytes + value.length, 0))
    return values
  }
  const texts = sets.length <= 1 ? ask(sets[0] ?? []) : sortBytewise([...new Set(sets.flatMap(ask))])
  writeTexts(buffer, texts, limit, () => storage.warnings())
  return takeBody(buffer)
}

/** A string and its place in a list or set, about. */
const stringBytes = 32

/** The label sets of the series that any of the selectors finds, each once, in their order. */
function* listSeries(sets: readonly (readonly Matcher[])[], reader: Queryable, startMs: number, endMs: number, buffer: AnswerWriter) {
  const merged = new Map<string, Labels>()
  for (const set of sets) {
    const series = reader.select(set, startMs, endMs)
    while (series.next()) {
      const labels = series.labels()
      if (sets.length === 1) {
        yield labels
        continue
      }
      const key = labels.key()
      if (!merged.has(key)) buffer.hold(stringBytes + 4 * key.length)
      merged.set(key, labels)
    }
  }
  yield* [...merged.values()].sort((a, b) => Labels.compare(a, b))
}

/** Texts, and characters of them, that are quoted at a time. */
const textsPerPart = 4096
const charactersPerPart = 256 * 1024

/** The envelope with a list of texts, of `limit` at most (0 = all of them). */
function writeTexts(buffer: AnswerWriter, texts: readonly string[], limit: number, warningsOf: () => readonly string[]): void {
  const isTruncated = isCut(limit, texts.length)
  const count = isTruncated ? limit : texts.length
  buffer.utf8('{"status":"success","data":[')
  for (let from = 0; from < count;) {
    let to = from
    for (let characters = 0; to < count && to - from < textsPerPart && characters < charactersPerPart; to++) characters += texts[to]!.length
    if (from > 0) buffer.utf8(',')
    buffer.utf8(JSON.stringify(texts.slice(from, to)).slice(1, -1))
    from = to
  }
  endList(buffer, isTruncated, warningsOf())
}

/** The envelope with a list, of `limit` entries at most (0 = all of them). */
function writeList<T>(
  buffer: AnswerWriter,
  { values, write }: { readonly values: Iterable<T>; readonly write: (value: T) => void },
  limit: number,
  warningsOf: () => readonly string[],
): void {
  let count = 0
  let isTruncated = false
  buffer.utf8('{"status":"success","data":[')
  for (const value of values) {
    if (limit > 0 && count === limit) {
      isTruncated = true
      break
    }
    if (count++ > 0) buffer.utf8(',')
    write(value)
  }
  endList(buffer, isTruncated, warningsOf())
}

function endList(buffer: AnswerWriter, isTruncated: boolean, warnings: readonly string[]): void {
  buffer.utf8(']')
  const told = isTruncated ? [...warnings, truncatedText] : warnings
  buffer.utf8(told.length === 0 ? '}' : `,"warnings":${JSON.stringify(told)}}`)
}
