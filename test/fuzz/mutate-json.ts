import type { Random } from './mutate.ts'

// Flipped bytes of JSON are nearly always refused by its parser; these changes get behind it.

const oddValues: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1.5,
  65_536,
  2 ** 53,
  1e308,
  '',
  ' ',
  '0',
  'true',
  '::1',
  'a\nb',
  '"\\',
  '\ud800',
  '\u0000',
  '__proto__',
  'x'.repeat(3_000),
  [],
  {},
  [[]],
  [null],
  { '': '' },
  { name: 'name' },
]
const oddNames: readonly string[] = ['', '__proto__', 'constructor', 'toString', 'length', '0', 'ä', 'a b', 'name']
const copiesMax = 30

type Holder = Record<string, unknown> | unknown[]

/** JSON of one seed with one to four changes: other values and kinds, other names, copies, pieces of another seed. */
export function mutateJson(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  const root = { value: parseSeed(seeds, random) }
  for (let changes = 1 + random.below(4); changes > 0; changes--) change(pickHolder(root, random), seeds, random)
  return new TextEncoder().encode(JSON.stringify(root.value) ?? 'null')
}

function change(holder: Holder, seeds: readonly Uint8Array[], random: Random): void {
  const keys = Object.keys(holder)
  const key = keys.length === 0 ? '0' : keys[random.below(keys.length)]!
  const value = Reflect.get(holder, key) as unknown
  switch (random.below(7)) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1)
      else Reflect.deleteProperty(holder, key)
      break
    case 1:
      if (Array.isArray(holder)) holder.push(...new Array<unknown>(1 + random.below(copiesMax)).fill(value))
      else put(holder, oddNames[random.below(oddNames.length)]!, value)
      break
    case 2:
      put(holder, key, [value])
      break
    case 3:
      put(holder, key, pickValue(parseSeed(seeds, random), random))
      break
    case 4:
      if (typeof value === 'string') put(holder, key, changeText(value, random))
      else if (typeof value === 'number') put(holder, key, random.below(2) === 0 ? -value : value * 10 ** random.below(20))
      break
    default:
      put(holder, key, structuredClone(oddValues[random.below(oddValues.length)]))
  }
}

function changeText(text: string, random: Random): string {
  const at = random.below(text.length + 1)
  switch (random.below(3)) {
    case 0:
      return text.slice(0, at)
    case 1:
      return text.slice(0, at) + String.fromCharCode(random.below(0x250)) + text.slice(at)
    default:
      return text.slice(at) + text.slice(0, at)
  }
}

// An assignment to `__proto__` would be none.
function put(holder: Holder, key: string, value: unknown): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true })
}

function pickHolder(root: { value: unknown }, random: Random): Holder {
  let holder: Holder = root
  for (;;) {
    const inner: Holder[] = Object.values(holder as object).filter((value): value is Holder => typeof value === 'object' && value !== null)
    if (inner.length === 0 || random.below(4) === 0) return holder
    holder = inner[random.below(inner.length)]!
  }
}

function pickValue(value: unknown, random: Random): unknown {
  const holder = pickHolder({ value }, random)
  const values = Object.values(holder)
  return values.length === 0 ? null : (values[random.below(values.length)] as unknown)
}

function parseSeed(seeds: readonly Uint8Array[], random: Random): unknown {
  return JSON.parse(new TextDecoder().decode(seeds[random.below(seeds.length)]!))
}
