import snappy from 'snappy'

// Remote write 1.0 and 2.0 as a receiver reads them, written here once more on purpose, independent of `common/wire`.

export interface DecodedSample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly timeMs: number
}

/** Every float sample of a request; labels of one series are one object. Throws for a body that is no such message. */
export function decodeWrite(body: Buffer, contentType: string, onSample: (sample: DecodedSample) => void): void {
  const message = snappy.uncompressSync(body) as Buffer
  if (contentType.includes('io.prometheus.write.v2.Request')) decode2(message, onSample)
  else decode1(message, onSample)
}

function decode1(message: Buffer, onSample: (sample: DecodedSample) => void): void {
  walk(message, 0, message.length, (field, start, end) => {
    if (field !== 1) return
    const labels: Record<string, string> = {}
    const samples: [number, number][] = []
    walk(message, start, end, (inner, from, to) => {
      if (inner === 1) {
        const pair = ['', '']
        walk(message, from, to, (part, a, b) => void (pair[part - 1] = message.toString('utf8', a, b)))
        labels[pair[0]!] = pair[1]!
      } else if (inner === 2) samples.push(readSample(message, from, to))
    })
    for (const [value, timeMs] of samples) onSample({ labels, value, timeMs })
  })
}

function decode2(message: Buffer, onSample: (sample: DecodedSample) => void): void {
  const symbols: string[] = []
  walk(message, 0, message.length, (field, start, end) => void (field === 4 && symbols.push(message.toString('utf8', start, end))))
  walk(message, 0, message.length, (field, start, end) => {
    if (field !== 5) return
    const labels: Record<string, string> = {}
    const samples: [number, number][] = []
    walk(message, start, end, (inner, from, to) => {
      if (inner === 1) {
        const references: number[] = []
        for (const reader = { at: from }; reader.at < to;) references.push(readVarint(message, reader, to))
        for (let i = 0; i < references.length; i += 2) labels[symbols[references[i]!]!] = symbols[references[i + 1]!]!
      } else if (inner === 2) samples.push(readSample(message, from, to))
    })
    for (const [value, timeMs] of samples) onSample({ labels, value, timeMs })
  })
}

function readSample(message: Buffer, start: number, end: number): [value: number, timeMs: number] {
  const sample: [number, number] = [0, 0]
  const reader = { at: start }
  while (reader.at < end) {
    const tag = readVarint(message, reader, end)
    if (tag === 9) {
      sample[0] = message.readDoubleLE(reader.at)
      reader.at += 8
    } else if (tag === 16) sample[1] = readVarint(message, reader, end)
    else if (tag % 8 === 0) readVarint(message, reader, end)
    else throw new RangeError(`cannot read a sample: field tag ${tag}`)
  }
  return sample
}

function walk(message: Buffer, start: number, end: number, visit: (field: number, start: number, end: number) => void): void {
  const reader = { at: start }
  while (reader.at < end) {
    const tag = readVarint(message, reader, end)
    const wire = tag % 8
    if (wire === 0) readVarint(message, reader, end)
    else if (wire === 1) reader.at += 8
    else if (wire === 5) reader.at += 4
    else if (wire === 2) {
      const length = readVarint(message, reader, end)
      if (reader.at + length > end) throw new RangeError(`cannot read field ${tag >>> 3}: want ${length} bytes, got ${end - reader.at}`)
      visit(Math.floor(tag / 8), reader.at, reader.at + length)
      reader.at += length
    } else throw new RangeError(`cannot read a field of wire type ${wire}`)
  }
}

function readVarint(message: Buffer, reader: { at: number }, end: number): number {
  let value = 0
  for (let scale = 1; ; scale *= 128) {
    if (reader.at >= end) throw new RangeError('cannot read a varint: the message ends')
    const byte = message[reader.at++]!
    value += (byte & 127) * scale
    if (byte < 128) return value
  }
}
