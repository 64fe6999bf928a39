import { ValueError, ValueParser } from './value-parser.ts'

/** A composite value of OpenMetrics 2.0 that is none; the text says what was wanted. */
export class CompositeError extends Error {
  override name = 'CompositeError'
}

/** `a:b` of a list; `second` is NaN for an item that is a number alone. */
export interface CompositeItem {
  readonly first: number
  readonly second: number
}

/** What stands in `{count:2,sum:1.5,bucket:[0.5:1,+Inf:2]}`: numbers and lists by key. */
export interface CompositeValue {
  readonly numbers: ReadonlyMap<string, number>
  readonly lists: ReadonlyMap<string, readonly CompositeItem[]>
  /** The offset behind the `}`. */
  readonly end: number
}

const numberKeys: readonly string[] = ['count', 'sum', 'gcount', 'gsum', 'schema', 'zero_threshold', 'zero_count']
const pairKeys: readonly string[] = ['bucket', 'quantile', 'negative_spans', 'positive_spans']
const singleKeys: readonly string[] = ['negative_buckets', 'positive_buckets']

const values = new ValueParser()

/** Reads the composite value whose `{` stands at `start`; throws CompositeError. */
export function readComposite(bytes: Uint8Array, start: number, end: number): CompositeValue {
  const numbers = new Map<string, number>()
  const lists = new Map<string, readonly CompositeItem[]>()
  let i = start + 1
  for (;;) {
    const keyStart = i
    while (i < end && ((bytes[i]! >= 97 && bytes[i]! <= 122) || bytes[i] === 95)) i++
    const key = Buffer.from(bytes.subarray(keyStart, i)).toString('latin1')
    if (i >= end || bytes[i] !== 58) throw new CompositeError(`expected a key and a colon in composite value, got ${JSON.stringify(key)}`)
    if (numbers.has(key) || lists.has(key)) throw new CompositeError(`expected each key once in composite value, got ${key} again`)
    i++
    if (numberKeys.includes(key)) {
      const next = tokenEnd(bytes, i, end)
      numbers.set(key, readNumber(bytes, i, next))
      i = next
    } else if (pairKeys.includes(key) || singleKeys.includes(key)) {
      const list = readList(bytes, i, end, key)
      lists.set(key, list.items)
      i = list.end
    } else {
      throw new CompositeError(`unknown key ${JSON.stringify(key)} in composite value`)
    }
    if (bytes[i] === 125 && i < end) return { numbers, lists, end: i + 1 }
    if (i >= end || bytes[i] !== 44) throw new CompositeError(`expected comma or brace close behind ${key} in composite value`)
    i++
  }
}

function readList(bytes: Uint8Array, start: number, end: number, key: string): { items: CompositeItem[]; end: number } {
  const items: CompositeItem[] = []
  const isPairs = pairKeys.includes(key)
  if (start >= end || bytes[start] !== 91) throw new CompositeError(`expected a list behind ${key} in composite value`)
  let i = start + 1
  if (bytes[i] === 93 && i < end) return { items, end: i + 1 }
  for (;;) {
    let next = tokenEnd(bytes, i, end)
    const first = readNumber(bytes, i, next)
    let second = NaN
    if (isPairs) {
      if (next >= end || bytes[next] !== 58) throw new CompositeError(`expected a colon in each item of ${key} in composite value`)
      i = next + 1
      next = tokenEnd(bytes, i, end)
      second = readNumber(bytes, i, next)
    }
    items.push({ first, second })
    i = next + 1
    if (next < end && bytes[next] === 93) return { items, end: i }
    if (next >= end || bytes[next] !== 44) throw new CompositeError(`expected comma or bracket close in ${key} of composite value`)
  }
}

/** Numbers end at `,` `:` `]` `}` or a space. */
function tokenEnd(bytes: Uint8Array, start: number, end: number): number {
  let i = start
  while (i < end && bytes[i] !== 44 && bytes[i] !== 58 && bytes[i] !== 93 && bytes[i] !== 125 && bytes[i] !== 32) i++
  return i
}

function readNumber(bytes: Uint8Array, start: number, end: number): number {
  const value = values.read(bytes, start, end)
  if (values.end === end && start < end) return value
  try {
    return values.readToken(bytes, start, end)
  } catch (error) {
    if (error instanceof ValueError) throw new CompositeError(`expected a number in composite value: ${error.message}`)
    throw error
  }
}
