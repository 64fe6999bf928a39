import { describe, expect, it } from 'vitest'
import { PrefixTables, type PrefixTable } from './prefix-tables.ts'
import { SeriesTable } from './series-table.ts'

/** A seeded xorshift: a failure comes again. */
function makeHashes(seed: number): () => number {
  let x = seed
  return () => {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    return x >>> 0
  }
}

describe('a table of series', () => {
  it('finds every series that was added and not removed, over splits, and no other', () => {
    const next = makeHashes(7)
    const table = new SeriesTable()
    const hashes: number[] = [0]
    const known = new Map<number, number>()
    for (let ref = 1; ref <= 60_000; ref++) {
      hashes.push(next())
      table.add(hashes[ref]!, ref)
      known.set(ref, hashes[ref]!)
      if (ref % 3 !== 0) continue
      // Every third one goes soon after.
      table.remove(hashes[ref - 2]!, ref - 2)
      known.delete(ref - 2)
    }
    for (let ref = 1; ref <= 60_000; ref++) {
      expect(table.find(hashes[ref]!, (candidate) => candidate === ref)).toBe(known.has(ref) ? ref : 0)
    }
    // Of 40,000 left at most half of the slots are empty or removed but for what the last growth left.
    expect(table.usedBytes).toBeLessThanOrEqual(40_000 * 8 * 4)
    expect(table.usedBytes).toBeGreaterThan(40_000 * 8)
  })

  it('takes as many series of one hash as there are', () => {
    const table = new SeriesTable()
    for (let ref = 1; ref <= 20_000; ref++) table.add(0xabcdef01, ref)
    for (const ref of [1, 777, 20_000]) expect(table.find(0xabcdef01, (candidate) => candidate === ref)).toBe(ref)
    expect(table.find(0xabcdef02, () => true)).toBe(0)
  })
})

describe('tables by prefix', () => {
  const put = (table: PrefixTable, hash: number): void => {
    const mask = table.words.length - 1
    let slot = hash & mask
    while (table.words[slot] !== 0) slot = (slot + 1) & mask
    table.words[slot] = hash
    table.count++
  }
  const isIn = ({ words }: PrefixTable, hash: number): boolean => {
    for (let slot = hash & (words.length - 1); words[slot] !== 0; slot = (slot + 1) & (words.length - 1))
      if (words[slot] === hash) return true
    return false
  }

  it('are the same when they are restored from their list, whatever their depths', () => {
    const next = makeHashes(3)
    const tables = new PrefixTables(1, 16)
    const hashes: number[] = []
    for (let i = 0; i < 80_000; i++) {
      // Most of them begin alike, so that depths differ.
      const hash = i % 4 === 0 ? next() : (next() >>> 5) | 0x10000000
      hashes.push(hash)
      while (tables.at(hash).count * 4 > tables.at(hash).words.length * 3) {
        tables.makeRoom(hash, (from, at, find) => {
          if (from[at] !== 0) put(find(from[at]!), from[at]!)
        })
      }
      put(tables.at(hash), hash)
    }
    const list = tables.list()
    expect(new Set(list.map(({ depth }) => depth)).size).toBeGreaterThan(1)
    expect(list.every(({ words }) => words.byteLength <= 128 * 1024)).toBe(true)
    const restored = new PrefixTables(1, 16)
    restored.restore(list)
    expect(restored.slots).toBe(tables.slots)
    for (const hash of hashes) {
      expect(restored.at(hash)).toBe(tables.at(hash))
      expect(isIn(restored.at(hash), hash)).toBe(true)
    }
  })
})
