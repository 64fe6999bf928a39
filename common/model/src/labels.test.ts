import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytewise } from './compare.ts'
import { Labels } from './labels.ts'

const text = fc.string({ unit: 'binary', maxLength: 6 })
const flat = fc
  .array(fc.tuple(fc.constantFrom('a', 'b', 'c', '__name__', 'é', '😀', '\uff5e'), text), { maxLength: 8 })
  .map((pairs) => pairs.flat())

describe('compareBytewise', () => {
  it('orders as the UTF-8 bytes do', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareBytewise(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)))
      }),
      {
        examples: [
          ['😀', '\uff5e'],
          ['a', 'a\0'],
          ['\ue000', '\ud83d\ude00'],
        ],
      },
    )
  })
})

describe('Labels', () => {
  it('sorts by name, drops empty values, lets the last duplicate win', () => {
    expect(Labels.fromPairs(['b', '1', 'a', '2', 'b', '3', 'c', '']).pairs).toEqual(['a', '2', 'b', '3'])
    expect(Labels.fromPairs(['a', '1', 'a', '']).size).toBe(0)
    expect(Labels.from({ z: '1', a: '2' }).pairs).toEqual(['a', '2', 'z', '1'])
    expect(() => Labels.fromPairs(['a'])).toThrow('cannot make labels')
  })

  it('finds labels, and nothing where there are none', () => {
    const labels = Labels.from({ a: '1', b: '2' })
    expect([labels.get('b'), labels.get('x'), labels.has('a'), labels.has('x'), labels.size]).toEqual(['2', '', true, false, 2])
  })

  it('changes into another object only if something changes', () => {
    const labels = Labels.from({ a: '1', c: '3' })
    expect(labels.with('a', '1')).toBe(labels)
    expect(labels.with('x', '')).toBe(labels)
    expect(labels.without('x')).toBe(labels)
    expect(labels.keep('a', 'c')).toBe(labels)
    expect(labels.with('b', '2').pairs).toEqual(['a', '1', 'b', '2', 'c', '3'])
    expect(labels.with('a', '').pairs).toEqual(['c', '3'])
    expect(labels.with('d', '4').pairs).toEqual(['a', '1', 'c', '3', 'd', '4'])
    expect(labels.without('a').pairs).toEqual(['c', '3'])
    expect(labels.keep('a').pairs).toEqual(['a', '1'])
    expect(labels.pairs).toEqual(['a', '1', 'c', '3'])
  })

  it('with() is what fromPairs() makes of the added pair', () => {
    fc.assert(
      fc.property(flat, fc.constantFrom('a', 'bb', '😀'), text, (pairs, name, value) => {
        expect(Labels.fromPairs(pairs).with(name, value).pairs).toEqual(Labels.fromPairs([...pairs, name, value]).pairs)
      }),
    )
  })

  it('join() is what fromPairs() makes of both, the last value of a name winning', () => {
    fc.assert(
      fc.property(flat, flat, (a, b) => {
        const under = Labels.fromPairs(a)
        const over = Labels.fromPairs(b)
        expect(Labels.join(under, over).pairs).toEqual(Labels.fromPairs([...under.pairs, ...over.pairs]).pairs)
      }),
    )
  })

  it('keys are equal exactly if the sets are equal', () => {
    fc.assert(
      fc.property(flat, flat, (a, b) => {
        const left = Labels.fromPairs(a)
        const right = Labels.fromPairs(b)
        expect(left.key() === right.key()).toBe(left.equals(right))
        expect(Labels.compare(left, right) === 0).toBe(left.equals(right))
      }),
    )
    expect(Labels.from({ a: 'x\0b\0y' }).key()).not.toBe(Labels.from({ a: 'x', b: 'y' }).key())
  })

  it('compares pair by pair, then by number of pairs', () => {
    const a = Labels.from({ a: '1' })
    expect(Labels.compare(a, Labels.from({ a: '1', b: '1' }))).toBeLessThan(0)
    expect(Labels.compare(a, Labels.from({ b: '0' }))).toBeLessThan(0)
    expect(Labels.compare(a, Labels.from({ a: '0', b: '9' }))).toBeGreaterThan(0)
    expect(Labels.compare(a, Labels.from({ a: '1' }))).toBe(0)
  })

  it('prints as Prometheus prints label sets and metrics', () => {
    const labels = Labels.from({ __name__: 'up', job: 'a"b\n', 'my.label': 'é' })
    expect(labels.toString()).toBe('{__name__="up", job="a\\"b\\n", "my.label"="é"}')
    expect(labels.metricString()).toBe('up{job="a\\"b\\n", "my.label"="é"}')
    expect(Labels.from({ __name__: 'up' }).metricString()).toBe('up')
    expect(Labels.from({ __name__: 'my.metric', a: 'b' }).metricString()).toBe('{"my.metric", a="b"}')
    expect(Labels.empty.metricString()).toBe('{}')
  })

  // The bytes of a stringlabels set under xxHash64; the sums were made with xxhash-wasm over bytes written out by hand.
  it('hashes as the stringlabels build of Prometheus does', () => {
    expect(Labels.empty.hash()).toBe(0xef46db3751d8e999n)
    expect(Labels.from({ foo: 'bar', baz: 'qux' }).hash()).toBe(0x84ee7277acbd8812n)
    expect(Labels.from({ name: 'v'.repeat(254) }).hash()).toBe(0xa3cd872afee4fe03n)
    expect(Labels.from({ name: 'v'.repeat(255) }).hash()).toBe(0x4b90649a8d741015n)
    expect(Labels.from({ name: 'é'.repeat(40_000), z: '1' }).hash()).toBe(0x24f3cae6516d316fn)
    expect(Labels.from({ foo: 'bar', baz: 'qux' }).hashFraction()).toBeCloseTo(Number(0x84ee7277acbd8812n) / 2 ** 64, 15)
  })

  it('gives records that inherited names cannot disturb', () => {
    expect(Labels.from({ a: '1' }).toRecord()['constructor']).toBeUndefined()
  })
})
