// Sets of series references as ascending arrays without repeats.

/** What is in both. */
export function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  const found = new Uint32Array(Math.min(a.length, b.length))
  let length = 0
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    const left = a[i]!
    const right = b[j]!
    if (left === right) found[length++] = left
    if (left <= right) i++
    if (right <= left) j++
  }
  return found.subarray(0, length)
}

/** Whether something is in both. */
export function intersects(a: Uint32Array, b: Uint32Array): boolean {
  const [few, many] = a.length < b.length ? [a, b] : [b, a]
  let low = 0
  for (let i = 0; i < few.length && low < many.length; i++) {
    const reference = few[i]!
    let high = many.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (many[middle]! < reference) low = middle + 1
      else high = middle
    }
    if (low < many.length && many[low] === reference) return true
  }
  return false
}

/** What is in the first only. */
export function subtract(a: Uint32Array, b: Uint32Array): Uint32Array {
  const found = new Uint32Array(a.length)
  let length = 0
  for (let i = 0, j = 0; i < a.length; i++) {
    const left = a[i]!
    while (j < b.length && b[j]! < left) j++
    if (j === b.length || b[j] !== left) found[length++] = left
  }
  return found.subarray(0, length)
}

/** What is in any of them. */
export function unite(lists: readonly Uint32Array[]): Uint32Array {
  if (lists.length === 0) return new Uint32Array(0)
  if (lists.length === 1) return lists[0]!
  let total = 0
  let highest = 0
  for (const list of lists) {
    total += list.length
    if (list.length > 0) highest = Math.max(highest, list.at(-1)!)
  }
  // A bit for every possible reference is walked faster than a sort once the references are dense enough.
  return total > highest >>> 6 ? uniteByBits(lists, highest) : uniteBySorting(lists, total)
}

function uniteByBits(lists: readonly Uint32Array[], highest: number): Uint32Array {
  const bits = new Uint32Array((highest >>> 5) + 1)
  let count = 0
  for (const list of lists) {
    for (let i = 0; i < list.length; i++) {
      const reference = list[i]!
      const bit = 1 << (reference & 31)
      if ((bits[reference >>> 5]! & bit) !== 0) continue
      bits[reference >>> 5]! |= bit
      count++
    }
  }
  const found = new Uint32Array(count)
  let length = 0
  for (let i = 0; i < bits.length; i++) {
    for (let word = bits[i]!; word !== 0; word &= word - 1) found[length++] = i * 32 + 31 - Math.clz32(word & -word)
  }
  return found
}

function uniteBySorting(lists: readonly Uint32Array[], total: number): Uint32Array {
  const all = new Uint32Array(total)
  let length = 0
  for (const list of lists) {
    all.set(list, length)
    length += list.length
  }
  all.sort()
  length = 0
  for (let i = 0; i < all.length; i++) if (i === 0 || all[i] !== all[i - 1]) all[length++] = all[i]!
  return all.subarray(0, length)
}
