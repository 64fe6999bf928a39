import { characterLength, isHigh, isLow, unescapedLiteral } from './pattern-text.ts'

// `__meta_label_(.+)`, `(.*):.*`, `prefix-(.*)-(.*)`: with nothing but literals, dots and greedy `.*` the groups of a match can be
// told from where the literals stand, without an automaton that tracks groups.

const anyOne = Symbol('.')
const anyMany = Symbol('.*')
type Item = string | typeof anyOne | typeof anyMany

/** Gives the groups of a fully anchored match, group 0 first, or undefined. */
export type CaptureMatcher = (value: string) => string[] | undefined

interface Group {
  readonly first: number
  /** Behind the last item. */
  end: number
}

/** A matcher for a concatenation of literals, `.`, `.*`, `.+` and groups of these that do not nest; undefined for all else. */
export function parseCapturePattern(pattern: string): CaptureMatcher | undefined {
  const items: Item[] = []
  const groups: Group[] = []
  let open: Group | undefined
  for (let at = 0; at < pattern.length;) {
    const character = pattern[at]!
    if (character === '(') {
      if (open !== undefined || pattern[at + 1] === '?') return undefined
      open = { first: items.length, end: -1 }
      groups.push(open)
      at++
    } else if (character === ')') {
      if (open === undefined) return undefined
      open.end = items.length
      open = undefined
      at++
    } else if (character === '.') {
      at++
      const quantifier = pattern[at]
      if (quantifier === '*') items.push(anyMany)
      else if (quantifier === '+') items.push(anyOne, anyMany)
      else items.push(anyOne)
      if (quantifier === '*' || quantifier === '+') at++
    } else {
      const literal = unescapedLiteral(pattern, at)
      if (literal === undefined) return undefined
      at += literal.sourceLength
      items.push(literal.text)
    }
    if (at < pattern.length && '*+?{'.includes(pattern[at]!)) return undefined
  }
  return open === undefined ? createMatcher(items, groups) : undefined
}

function createMatcher(items: readonly Item[], groups: readonly Group[]): CaptureMatcher {
  const firstMany = items.indexOf(anyMany)
  const lastMany = items.lastIndexOf(anyMany)
  return (value) => {
    /** Where each item begins; the last one is the end of the value. */
    const starts: number[] = Array.from({ length: items.length + 1 }, () => 0)
    starts[items.length] = value.length
    const headEnd = firstMany < 0 ? items.length : firstMany
    const head = placeForward(items, 0, headEnd, value, 0, starts)
    if (head < 0) return undefined
    if (firstMany < 0) return head === value.length ? readGroups(value, groups, starts) : undefined
    let limit = placeBackward(items, lastMany + 1, items.length, value, value.length, head, starts)
    // Greedy: an earlier `.*` takes all it can, so what stands between two of them stands as far to the right as it fits.
    for (let end = lastMany; limit >= 0 && end > firstMany;) {
      const first = items.lastIndexOf(anyMany, end - 1) + 1
      limit = placeRightmost(items, first, end, value, limit, head, starts)
      starts[end] = limit < 0 ? 0 : endOf(items, first, end, value, limit)
      end = first - 1
    }
    if (limit < 0) return undefined
    starts[firstMany] = head
    return readGroups(value, groups, starts)
  }
}

function readGroups(value: string, groups: readonly Group[], starts: readonly number[]): string[] {
  const read = [value]
  for (const { first, end } of groups) read.push(value.slice(starts[first], starts[end]))
  return read
}

function endOf(items: readonly Item[], first: number, end: number, value: string, from: number): number {
  let at = from
  for (let i = first; i < end; i++) {
    const item = items[i]!
    at += typeof item === 'string' ? item.length : characterLength(value, at)
  }
  return at
}

/** Sets items `[first, end)` down from `from` on and gives their end; -1 if they do not match there. */
function placeForward(items: readonly Item[], first: number, end: number, value: string, from: number, starts: number[]): number {
  let at = from
  for (let i = first; i < end; i++) {
    const item = items[i]!
    starts[i] = at
    if (typeof item === 'string') {
      if (!value.startsWith(item, at)) return -1
      at += item.length
    } else {
      if (at >= value.length) return -1
      at += characterLength(value, at)
    }
  }
  return at
}

/** Sets items `[first, end)` down so that they end at `to` and gives their start; -1 if they do not match or begin before `from`. */
function placeBackward(
  items: readonly Item[],
  first: number,
  end: number,
  value: string,
  to: number,
  from: number,
  starts: number[],
): number {
  let at = to
  for (let i = end - 1; i >= first; i--) {
    const item = items[i]!
    if (typeof item === 'string') {
      if (!value.endsWith(item, at)) return -1
      at -= item.length
    } else {
      if (at <= from) return -1
      at -= at >= 2 && isLow(value.charCodeAt(at - 1)) && isHigh(value.charCodeAt(at - 2)) ? 2 : 1
    }
    starts[i] = at
  }
  return at < from ? -1 : at
}

function placeRightmost(
  items: readonly Item[],
  first: number,
  end: number,
  value: string,
  limit: number,
  from: number,
  starts: number[],
): number {
  const last = items[end - 1]
  for (let to = limit; to >= from; to--) {
    if (end > first && typeof last === 'string') {
      // Straight to where the last literal stands.
      const found = to < last.length ? -1 : value.lastIndexOf(last, to - last.length)
      if (found < 0) return -1
      to = found + last.length
    } else if (isLow(value.charCodeAt(to)) && isHigh(value.charCodeAt(to - 1))) continue
    const start = placeBackward(items, first, end, value, to, from, starts)
    if (start >= 0) return start
  }
  return -1
}
