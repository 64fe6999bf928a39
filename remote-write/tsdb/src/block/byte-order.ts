const encoder = new TextEncoder()
// A byte order mark is part of the text: dropping it would make two label values one.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** Go's order of strings: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}

export function toBytes(text: string | Uint8Array): Uint8Array {
  return typeof text === 'string' ? encoder.encode(text) : text
}

/** What is not UTF-8 becomes U+FFFD. */
export function toText(bytes: Uint8Array): string {
  if (bytes.length < 24) {
    let text = ''
    let i = 0
    for (; i < bytes.length && bytes[i]! < 0x80; i++) text += String.fromCharCode(bytes[i]!)
    if (i === bytes.length) return text
  }
  return decoder.decode(bytes)
}

/** One character a byte, so that no two byte strings share a text: for keys of maps, not for people. */
export function toKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
}

/** Big endian. */
export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}
