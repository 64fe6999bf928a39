/** What decoders of snappy are compared with: a reader that does one byte at a time, and blocks with elements of every kind. */

/** The bytes of the elements behind a block's head, undefined if they are none or more than `bytesMax`. */
export function readElements(elements: Uint8Array, bytesMax: number): Uint8Array | undefined {
  const out: number[] = []
  for (let at = 0; at < elements.length;) {
    const tag = elements[at++]!
    const kind = tag & 3
    let code = tag >> 2
    // Bytes behind the tag that tell the length of a literal, or how far a copy reaches back.
    const count = kind === 0 ? Math.max(0, code - 59) : kind === 3 ? 4 : kind
    if (at + count > elements.length) return undefined
    let number = 0
    for (let i = 0; i < count; i++) number += elements[at++]! * 2 ** (8 * i)
    if (kind === 0) {
      const length = 1 + (count > 0 ? number : code)
      if (at + length > elements.length || out.length + length > bytesMax) return undefined
      for (let i = 0; i < length; i++) out.push(elements[at++]!)
      continue
    }
    if (kind === 1) {
      number += (tag >> 5) * 256
      code = (code & 7) + 3
    }
    if (number === 0 || number > out.length || out.length + code + 1 > bytesMax) return undefined
    for (let i = 0; i <= code; i++) out.push(out[out.length - number]!)
  }
  return Uint8Array.from(out)
}

/** A block: its head says `declared`. */
export function makeBlock(declared: number, elements: Uint8Array): Uint8Array {
  const head: number[] = []
  let rest = declared
  for (; rest >= 0x80; rest = Math.floor(rest / 128)) head.push((rest % 128) | 0x80)
  return Uint8Array.from([...head, rest, ...elements])
}

/** Elements of every kind in any order, with each length of a literal's head, needed or not. `below` draws an integer. */
export function drawElements(below: (bound: number) => number): Uint8Array {
  const out: number[] = []
  let size = 0
  for (let left = 1 + below(40); left > 0; left--) {
    const kind = size === 0 ? 0 : below(4)
    if (kind === 0) {
      const length = 1 + below([8, 16, 17, 60, 61, 100, 300, 70_000][below(400) === 0 ? 7 : below(7)]!)
      putLiteralHead(out, length, below)
      for (let i = 0; i < length; i++) out.push(below(256))
      size += length
      continue
    }
    // Most reach back a little: these overlap what they write.
    const distance = 1 + below(Math.min(size, [4, 17, 40, 2047, 65_535, 2 ** 31][below(6)]!))
    let length = 1 + below(64)
    if (kind === 1 && distance < 2048) {
      length = 4 + below(8)
      out.push(((distance >> 8) << 5) | ((length - 4) << 2) | 1, distance & 255)
    } else if (kind < 3 && distance < 65_536) out.push(((length - 1) << 2) | 2, distance & 255, distance >> 8)
    else out.push(((length - 1) << 2) | 3, distance & 255, (distance >> 8) & 255, (distance >> 16) & 255, distance >>> 24)
    size += length
  }
  return Uint8Array.from(out)
}

function putLiteralHead(out: number[], length: number, below: (bound: number) => number): void {
  const code = length - 1
  const least = code < 60 ? 0 : code < 0x100 ? 1 : code < 0x10000 ? 2 : 3
  const count = below(4) === 0 ? least + below(5 - least) : least
  out.push(count === 0 ? code << 2 : (59 + count) << 2)
  for (let i = 0; i < count; i++) out.push(i < 4 ? (code >>> (8 * i)) & 255 : 0)
}
