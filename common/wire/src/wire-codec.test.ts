import { snappyUncompressor } from 'hysnappy'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { buildWireCodec } from '../build/build-wire-codec.ts'
import { drawElements, makeBlock, readElements } from './testdata/snappy-reference.ts'
import { WireCodec } from './wire-codec.ts'

const bytesMax = 1 << 20

/** A seeded xorshift: a failure comes again. */
function makeBelow(seed: number): (bound: number) => number {
  let x = seed
  return (bound) => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return (x >>> 0) % bound
  }
}

test('the checked-in module is what its text says', async () => {
  expect(readFileSync(join(import.meta.dirname, 'wire-codec-bytes.ts'), 'utf8')).toBe(await buildWireCodec())
})

describe('uncompressing', () => {
  const codec = new WireCodec(2 * bytesMax)
  const hysnappy = snappyUncompressor()

  /** What the codec gives for a block with an honest head of `headBytes`, undefined if it refuses. */
  function uncompress(block: Uint8Array, headBytes: number, declared: number): Uint8Array | undefined {
    const at = codec.uncompress(block, headBytes, declared)
    return at < 0 ? undefined : codec.bytes.slice(at, at + declared)
  }

  /** As the reference, and as hysnappy: the same bytes or a refusal. */
  function expectAsOthers(elements: Uint8Array, declared: number, what: string): boolean {
    const plain = readElements(elements, declared)
    const expected = plain?.length === declared ? plain : undefined
    const block = makeBlock(declared, elements)
    const got = uncompress(block, block.length - elements.length, declared)
    let other: Uint8Array | undefined
    try {
      other = hysnappy(block, declared)
    } catch {
      other = undefined
    }
    expect(got === undefined, what).toBe(expected === undefined)
    expect(other === undefined, `hysnappy, ${what}`).toBe(expected === undefined)
    if (expected !== undefined) {
      expect(Buffer.compare(got!, expected), what).toBe(0)
      expect(Buffer.compare(other!, expected), `hysnappy, ${what}`).toBe(0)
    }
    return expected !== undefined
  }

  test('elements of every kind give what the reference and hysnappy say', () => {
    const below = makeBelow(1)
    for (let i = 0; i < 800; i++) {
      const elements = drawElements(below)
      expect(expectAsOthers(elements, readElements(elements, bytesMax)!.length, `block ${i}`)).toBe(true)
    }
  })

  test('damaged elements and lying sizes are refused, or taken, as by the reference and hysnappy', () => {
    const below = makeBelow(2)
    let taken = 0
    let refused = 0
    for (let i = 0; i < 3000; i++) {
      let elements = drawElements(below)
      const size = readElements(elements, bytesMax)!.length
      let declared = size
      const kind = i % 4
      if (kind === 0) elements = elements.subarray(0, below(elements.length))
      else if (kind === 1) elements[below(elements.length)]! ^= 1 << below(8)
      else if (kind === 2) elements[below(elements.length)] = below(256)
      else declared = Math.max(0, size + [-1, 1, -16, 16, -80, 80][below(6)]!)
      // Half of the damaged ones declare what they give, if they give anything.
      if (kind !== 3 && below(2) === 0) declared = readElements(elements, bytesMax)?.length ?? size
      if (expectAsOthers(elements, declared, `block ${i}`)) taken++
      else refused++
    }
    expect(taken).toBeGreaterThan(300)
    expect(refused).toBeGreaterThan(700)
  })

  test.each(Array.from({ length: 18 }, (_, i) => i + 1))(
    'a copy from %i back gives the same at every length, near the end and far from it',
    (distance) => {
      for (const behind of [0, 1, 15, 16, 63, 64, 79, 80, 81, 200]) {
        for (let length = 1; length <= 64; length++) {
          const literal = Array.from({ length: 20 }, (_, i) => 65 + i)
          const rest = Array.from({ length: behind }, () => 0)
          const tail = behind === 0 ? [] : [61 << 2, behind - 1, 0, ...rest]
          const elements = Uint8Array.from([19 << 2, ...literal, ((length - 1) << 2) | 2, distance, 0, ...tail])
          const plain = readElements(elements, bytesMax)!
          const block = makeBlock(plain.length, elements)
          expect(Buffer.compare(uncompress(block, block.length - elements.length, plain.length)!, plain)).toBe(0)
        }
      }
    },
  )

  test.each([
    ['a literal of 4 GiB', [252, 255, 255, 255, 255, 1]],
    ['a literal that ends in its length', [248, 1, 0]],
    ['a copy from nowhere', [0, 65, 1, 0]],
    ['a copy from before the first byte', [0, 65, 1, 2]],
    ['a copy from 2 GiB back', [0, 65, 3, 0, 0, 0, 128]],
    ['a copy without its distance', [0, 65, 3, 1, 0, 0]],
  ])('refuses %s, at the end of a block and in it', (_name, elements) => {
    for (const behind of [0, 300]) {
      const all = Uint8Array.from([...elements, ...new Uint8Array(behind)])
      for (const declared of [0, 1, 5, 400])
        expect(uncompress(makeBlock(declared, all), makeBlock(declared, new Uint8Array(0)).length, declared)).toBeUndefined()
    }
  })

  test('writes nothing outside its target, whatever the block says', () => {
    const below = makeBelow(3)
    const small = new WireCodec(512 * 1024)
    const before = new Uint8Array(small.bytes.length)
    for (let i = 0; i < 300; i++) {
      const elements = drawElements(below)
      const size = readElements(elements, bytesMax)!.length
      if (size > 100_000) continue
      if (i % 3 > 0) elements[below(elements.length)] = below(256)
      const declared = Math.max(0, size - (i % 5 === 0 ? below(100) : 0))
      const block = makeBlock(declared, elements)
      // The part behind the tables and keys: where the source and the target lie is known by their order.
      small.bytes.fill(0xa5, small.scratchAt)
      before.set(small.bytes)
      const at = small.uncompress(block, block.length - elements.length, declared)
      const source = findBytes(small.bytes, block, small.scratchAt)
      before.set(block, source)
      const target = (source + block.length + 63) & ~63
      if (at >= 0) expect(at).toBe(target)
      before.set(small.bytes.subarray(target, target + declared), target)
      expect(Buffer.compare(small.bytes, before)).toBe(0)
    }
  })

  test('does not read behind its source: other bytes there change nothing', () => {
    const below = makeBelow(4)
    for (let i = 0; i < 500; i++) {
      const elements = drawElements(below)
      const cut = elements.subarray(0, below(elements.length + 1))
      // The same elements with more of them behind, of which the codec is not told.
      const size = readElements(elements, bytesMax)!.length
      const declared = readElements(cut, bytesMax)?.length ?? size
      const block = makeBlock(declared, cut)
      const verdicts = [0x00, 0x01, 0xff].map((fill) => {
        codec.bytes.fill(fill, codec.scratchAt)
        const got = uncompress(block, block.length - cut.length, declared)
        return got === undefined ? 'refused' : Buffer.from(got).toString('latin1')
      })
      expect(new Set(verdicts).size).toBe(1)
    }
  })
})

function findBytes(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).indexOf(wanted, from)
}
