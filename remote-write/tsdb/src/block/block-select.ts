import type { Matcher } from '@narthex/model/matcher'
import { toBytes, toText } from './byte-order.ts'
import type { IndexReader } from './index-reader.ts'
import { intersect, intersects, subtract, unite } from './postings-set.ts'
import { BlockSeries } from './series-entry.ts'

/** Called every few milliseconds of a selection; may throw to give up. */
export type SelectionCheck = () => void

const valuesPerCheck = 1024
const listsPerCheck = 64
const seriesPerCheck = 512

/**
 * References of the series that all matchers select, in the order of their labels. Prometheus' semantics: an absent label has the
 * empty value, so a matcher that matches '' takes series away (those with a value that it does not match) instead of choosing some.
 * Values that are not UTF-8 are matched as text with U+FFFD.
 */
export function selectSeries(index: IndexReader, matchers: readonly Matcher[], check: SelectionCheck): Uint32Array {
  let selected: Uint32Array | undefined
  const excluding: Matcher[] = []
  // Equalities first: each is one list, and an empty one ends the search.
  const ordered = [...matchers].sort((a, b) => (a.type === '=' ? 0 : 1) - (b.type === '=' ? 0 : 1))
  for (const matcher of ordered) {
    if (matcher.matches('')) {
      excluding.push(matcher)
      continue
    }
    const chosen = unite(readLists(index, findLists(index, matcher, true, check), check))
    selected = selected === undefined ? chosen : intersect(selected, chosen)
    if (selected.length === 0) return selected
  }
  selected ??= index.allSeries()
  for (const matcher of excluding) {
    if (selected.length === 0) break
    const lists = findLists(index, matcher, false, check)
    if (lists.length > 0) selected = subtract(selected, unite(readLists(index, lists, check)))
  }
  return selected
}

/** Names of the labels that the selected series have, in byte order. */
export function selectLabelNames(index: IndexReader, matchers: readonly Matcher[], check: SelectionCheck): string[] {
  const all = index.table.names()
  if (matchers.length === 0) return all.map(toText)
  const selected = selectSeries(index, matchers, check)
  const names = new Set<number>()
  const series = new BlockSeries()
  for (let i = 0; i < selected.length && names.size < all.length; i++) {
    if (i % seriesPerCheck === 0) check()
    index.readSeries(selected[i]!, series)
    for (let j = 0; j < series.labelCount; j++) names.add(series.labels[2 * j]!)
  }
  return textsOf(index, names)
}

/** Values that the selected series have for a label, in byte order. */
export function selectLabelValues(index: IndexReader, name: string, matchers: readonly Matcher[], check: SelectionCheck): string[] {
  const nameBytes = toBytes(name)
  const found: string[] = []
  if (nameBytes.length === 0) return found
  const selected = matchers.length === 0 ? undefined : selectSeries(index, matchers, check)
  if (selected !== undefined && selected.length < index.table.countValues(nameBytes)) return valuesOfSeries(index, name, selected, check)
  // Fewer values than series: whether a value's list has one of these is found sooner.
  let tested = 0
  index.table.forEach(nameBytes, (value, list) => {
    if (++tested % listsPerCheck === 0) check()
    if (selected === undefined || intersects(selected, index.postings(list))) found.push(toText(value))
  })
  return found
}

function valuesOfSeries(index: IndexReader, name: string, selected: Uint32Array, check: SelectionCheck): string[] {
  const values = new Set<number>()
  const series = new BlockSeries()
  for (let i = 0; i < selected.length; i++) {
    if (i % seriesPerCheck === 0) check()
    index.readSeries(selected[i]!, series)
    for (let j = 0; j < series.labelCount; j++) {
      if (index.symbols.text(series.labels[2 * j]!) === name) values.add(series.labels[2 * j + 1]!)
    }
  }
  return textsOf(index, values)
}

// Ordinals are in byte order.
function textsOf(index: IndexReader, ordinals: ReadonlySet<number>): string[] {
  return Array.from(Uint32Array.from(ordinals).sort(), (ordinal) => index.symbols.text(ordinal))
}

/** Offsets of the lists of all values for which the matcher answers `wanted`. */
function findLists(index: IndexReader, matcher: Matcher, wanted: boolean, check: SelectionCheck): number[] {
  const name = toBytes(matcher.name)
  if (name.length === 0) return []
  const literals = literalsOf(matcher, wanted)
  const lists: number[] = []
  if (literals !== undefined) {
    for (const literal of new Set(literals)) {
      const list = index.table.find(name, toBytes(literal))
      if (list !== undefined) lists.push(list)
    }
    return lists
  }
  let tested = 0
  index.table.forEach(name, (value, list) => {
    if (++tested % valuesPerCheck === 0) check()
    if (matcher.matches(toText(value)) === wanted) lists.push(list)
  })
  return lists
}

/** The values for which the matcher answers `wanted`, if they can be listed. */
function literalsOf({ type, value, regex }: Matcher, wanted: boolean): readonly string[] | undefined {
  const listsWanted = type === '=' || type === '=~'
  if (listsWanted !== wanted) return undefined
  return regex === undefined ? [value] : regex.literals()
}

function readLists(index: IndexReader, offsets: readonly number[], check: SelectionCheck): Uint32Array[] {
  return offsets.map((offset, i) => {
    if (i % listsPerCheck === 0) check()
    return index.postings(offset)
  })
}
