/** A small seeded generator (xorshift32): the same seed gives the same inputs on every machine. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = (seed ^ 0x9e3779b9) >>> 0 || 1
  }

  /** An integer in [0, bound). */
  below(bound: number): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state % bound
  }
}

const bytesMax = 200_000
// Values at which lengths, counts and varints go wrong.
const edges = [0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x22, 0x5c, 0x7b, 0x7d]

/** A copy of one seed with one to eight changes: bits, bytes, cuts, repeats, runs of 0xff, a piece of another seed. */
export function mutate(seeds: readonly Uint8Array[], random: Random): Uint8Array {
  let bytes = Array.from(seeds[random.below(seeds.length)]!)
  for (let changes = 1 + random.below(8); changes > 0; changes--) {
    const at = random.below(bytes.length + 1)
    switch (random.below(8)) {
      case 0:
        if (at < bytes.length) bytes[at]! ^= 1 << random.below(8)
        break
      case 1:
        if (at < bytes.length) bytes[at] = random.below(256)
        break
      case 2:
        bytes.splice(at, 0, edges[random.below(edges.length)]!)
        break
      case 3:
        bytes.splice(at, 1 + random.below(8))
        break
      case 4:
        bytes = bytes.slice(0, at)
        break
      case 5: {
        const piece = bytes.slice(at, at + 1 + random.below(40))
        if (bytes.length + piece.length < bytesMax) bytes.splice(random.below(bytes.length + 1), 0, ...piece)
        break
      }
      case 6:
        bytes.splice(at, 0, ...new Array<number>(1 + random.below(10)).fill(0xff))
        break
      default: {
        const other = seeds[random.below(seeds.length)]!
        const from = random.below(other.length + 1)
        bytes.splice(at, random.below(20), ...other.subarray(from, from + random.below(40)))
      }
    }
  }
  return Uint8Array.from(bytes)
}
