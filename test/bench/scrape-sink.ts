import { createServer } from 'node:http'
import snappy from 'snappy'

// A process of its own: takes remote write 1.0 and 2.0, decodes every request and counts its samples. Prints `ready PORT`
// and, told `count` on standard input, `samples N requests N bytes N`.

let samples = 0
let requests = 0
let bytes = 0

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const body = Buffer.concat(chunks)
    const isSecond = /io\.prometheus\.write\.v2\.Request/.test(request.headers['content-type'] ?? '')
    // vmagent probes with its own protocol first; a plain Prometheus receiver refuses it the same way.
    if (request.headers['content-encoding'] !== 'snappy') {
      response.statusCode = 415
      response.end()
      return
    }
    const counted = countSamples(snappy.uncompressSync(body) as Buffer, isSecond)
    samples += counted
    requests++
    bytes += body.length
    if (isSecond) {
      response.setHeader('X-Prometheus-Remote-Write-Samples-Written', counted)
      response.setHeader('X-Prometheus-Remote-Write-Histograms-Written', 0)
      response.setHeader('X-Prometheus-Remote-Write-Exemplars-Written', 0)
    }
    response.statusCode = 204
    response.end()
  })
})

/** Walks the whole message: TimeSeries is field 1 in 1.0 and 5 in 2.0, its samples are field 2 in both. */
function countSamples(message: Buffer, isSecond: boolean): number {
  let count = 0
  walk(message, 0, message.length, (field, start, end) => {
    if (field !== (isSecond ? 5 : 1)) return
    walk(message, start, end, (inner) => {
      if (inner === 2) count++
    })
  })
  return count
}

function walk(message: Buffer, start: number, end: number, visit: (field: number, start: number, end: number) => void): void {
  let at = start
  const varint = () => {
    let value = 0
    let scale = 1
    for (;;) {
      if (at >= end) throw new RangeError(`cannot read a varint at ${at}: the message ends`)
      const byte = message[at++]!
      value += (byte & 127) * scale
      if (byte < 128) return value
      scale *= 128
    }
  }
  while (at < end) {
    const tag = varint()
    const wire = tag % 8
    if (wire === 0) varint()
    else if (wire === 1) at += 8
    else if (wire === 5) at += 4
    else if (wire === 2) {
      const length = varint()
      visit(Math.floor(tag / 8), at, at + length)
      at += length
    } else throw new RangeError(`cannot read a field of wire type ${wire}`)
  }
  if (at !== end) throw new RangeError(`cannot read the message: a field ends at ${at}, the message at ${end}`)
}

server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(`ready ${address.port}`)
})
process.stdin.on('data', () => console.log(`samples ${samples} requests ${requests} bytes ${bytes}`))
process.stdin.on('end', () => process.exit(0))
