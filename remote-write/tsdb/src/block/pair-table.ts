/** Label pairs as pairs of symbols, numbered from 0 in the order of their first mention, each with a count. */
export class PairTable {
  count = 0
  /** Ordinals of symbols, by number of the pair; replaced when they grow. */
  names = new Uint32Array(1024)
  values = new Uint32Array(1024)
  /** How often the pair was counted. */
  counts = new Uint32Array(1024)
  // Open addressing: number of the pair + 1, 0 for a free place; at most half are taken.
  #slots = new Uint32Array(4096)

  /** The pair's number, -1 if it was not added. */
  find(name: number, value: number): number {
    return this.#slots[this.#place(name, value)]! - 1
  }

  /** Adds the pair if it is new, and one to its count; gives its number. */
  add(name: number, value: number): number {
    const place = this.#place(name, value)
    const known = this.#slots[place]! - 1
    if (known >= 0) {
      this.counts[known]!++
      return known
    }
    if (this.count === this.names.length) this.#growPairs()
    const pair = this.count++
    this.names[pair] = name
    this.values[pair] = value
    this.counts[pair] = 1
    this.#slots[place] = pair + 1
    if (this.count * 2 > this.#slots.length) this.#growSlots()
    return pair
  }

  /** Numbers of all pairs in the order of names, then values; `symbols` is more than the highest symbol. */
  sorted(symbols: number): Uint32Array {
    const numbers = new Uint32Array(this.count)
    for (let i = 0; i < this.count; i++) numbers[i] = i
    // The later sort keeps the order of the earlier one where names are the same.
    return sortByKey(sortByKey(numbers, this.values, symbols), this.names, symbols)
  }

  #place(name: number, value: number): number {
    const mask = this.#slots.length - 1
    let hash = Math.imul(name, 0x9e3779b1) ^ Math.imul(value, 0x85ebca77)
    hash = Math.imul(hash ^ (hash >>> 15), 0xcc9e2d51)
    for (let place = (hash ^ (hash >>> 13)) & mask; ; place = (place + 1) & mask) {
      const pair = this.#slots[place]! - 1
      if (pair < 0 || (this.values[pair] === value && this.names[pair] === name)) return place
    }
  }

  #growPairs(): void {
    this.names = grow(this.names)
    this.values = grow(this.values)
    this.counts = grow(this.counts)
  }

  #growSlots(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2)
    for (let pair = 0; pair < this.count; pair++) this.#slots[this.#place(this.names[pair]!, this.values[pair]!)] = pair + 1
  }
}

/** A counting sort: steady, and linear in pairs and symbols. */
function sortByKey(numbers: Uint32Array, keys: Uint32Array, keyCount: number): Uint32Array {
  const starts = new Uint32Array(keyCount + 1)
  for (let i = 0; i < numbers.length; i++) starts[keys[numbers[i]!]! + 1]!++
  for (let i = 0; i < keyCount; i++) starts[i + 1]! += starts[i]!
  const sorted = new Uint32Array(numbers.length)
  for (let i = 0; i < numbers.length; i++) {
    const number = numbers[i]!
    sorted[starts[keys[number]!]!++] = number
  }
  return sorted
}

function grow(numbers: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(numbers.length * 2)
  larger.set(numbers)
  return larger
}
