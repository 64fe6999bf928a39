/**
 * Where the symbols lie in a run of 2.0 `symbols` fields (tag 0x22, uvarint length, bytes): symbol i, reference i + 1,
 * at [offsets[i], offsets[i + 1]), tag included. Throws if the run does not hold just `symbolCount` fields.
 */
export function locateSymbols(symbolBytes: Uint8Array, symbolCount: number): Uint32Array {
  if (symbolCount > symbolBytes.length) throw new RangeError(`cannot locate symbols: want ${symbolCount} in ${symbolBytes.length} bytes`)
  const offsets = new Uint32Array(symbolCount + 1)
  let at = 0
  for (let i = 0; i < symbolCount; i++) {
    offsets[i] = at
    if (symbolBytes[at++] !== 0x22) throw new RangeError(`cannot locate symbol ${i}: want tag 34 at byte ${at - 1}`)
    let length = 0
    let unit = 1
    for (;;) {
      const byte = symbolBytes[at++]
      if (byte === undefined) throw new RangeError(`cannot locate symbol ${i}: the bytes end inside it`)
      length += (byte & 0x7f) * unit
      unit *= 128
      if (byte < 0x80) break
    }
    at += length
  }
  offsets[symbolCount] = at
  if (at !== symbolBytes.length) throw new RangeError(`cannot locate symbols: want them to end at byte ${symbolBytes.length}, got ${at}`)
  return offsets
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

/** The text of reference `ref`; 0 is "". For slow paths. */
export function symbolText(symbolBytes: Uint8Array, offsets: Uint32Array, ref: number): string {
  if (ref === 0) return ''
  let at = offsets[ref - 1]! + 1
  while (symbolBytes[at]! >= 0x80) at++
  return decoder.decode(symbolBytes.subarray(at + 1, offsets[ref]))
}
