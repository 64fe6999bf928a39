import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { ByteWriter } from '@narthex/bytes/byte-writer'

/** Answers scrapes in protobuf: a counter with exemplars, an integer and a float histogram, and a gauge whose times go back. */
export async function serveTarget(): Promise<Server> {
  let scrape = 0
  const server = createServer((_request, response) => {
    scrape++
    const body = new ByteWriter()
    const startMs = Date.now()
    const counter = message((m) => {
      m.double(1, scrape)
      m.bytes(2, exemplarOf(scrape))
    })
    putFamily(body, 'counted_total', 0, (m) => m.bytes(3, counter))
    putFamily(body, 'latency', 4, (m) => m.bytes(7, histogramMessage(scrape, false)))
    putFamily(body, 'latency_float', 4, (m) => m.bytes(7, histogramMessage(scrape, true)))
    putFamily(body, 'late', 1, (m) => {
      m.bytes(
        2,
        message((gauge) => gauge.double(1, scrape)),
      )
      m.varint(6, startMs - scrape * 1000)
    })
    response.setHeader('content-type', 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited')
    response.end(body.view())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

class Message {
  readonly writer = new ByteWriter()
  double(field: number, value: number): void {
    this.writer.uvarint(field * 8 + 1)
    this.writer.f64le(value)
  }
  varint(field: number, value: number): void {
    this.writer.uvarint(field * 8)
    this.writer.uvarint(value)
  }
  signed(field: number, value: number): void {
    this.writer.uvarint(field * 8)
    this.writer.varint(value)
  }
  bytes(field: number, bytes: Uint8Array): void {
    this.writer.uvarint(field * 8 + 2)
    this.writer.uvarint(bytes.length)
    this.writer.raw(bytes)
  }
  text(field: number, text: string): void {
    this.bytes(field, new TextEncoder().encode(text))
  }
}

function message(fill: (message: Message) => void): Uint8Array {
  const made = new Message()
  fill(made)
  return made.writer.view()
}

function putFamily(body: ByteWriter, name: string, type: number, metric: (message: Message) => void): void {
  const family = message((m) => {
    m.text(1, name)
    m.text(2, `Help of ${name}.`)
    m.varint(3, type)
    m.bytes(4, message(metric))
  })
  body.uvarint(family.length)
  body.raw(family)
}

function exemplarOf(scrape: number): Uint8Array {
  return message((m) => {
    m.bytes(
      1,
      message((label) => {
        label.text(1, 'trace')
        label.text(2, String(scrape))
      }),
    )
    m.double(2, scrape / 4)
  })
}

/** Buckets 0, 1 and 5 with n, 2n and n observations, bucket -1 of the negative side with 1, the zero bucket with n. */
function histogramMessage(n: number, isFloat: boolean): Uint8Array {
  const span = (offset: number, length: number): Uint8Array =>
    message((m) => {
      m.signed(1, offset)
      m.varint(2, length)
    })
  return message((m) => {
    if (isFloat) m.double(4, n * 5 + 1)
    else m.varint(1, n * 5 + 1)
    m.double(2, n * 1.5)
    m.signed(5, 3)
    m.double(6, 0.001)
    if (isFloat) m.double(8, n)
    else m.varint(7, n)
    m.bytes(9, span(-1, 1))
    if (isFloat) m.double(11, 1)
    else m.signed(10, 1)
    m.bytes(12, span(0, 2))
    m.bytes(12, span(3, 1))
    if (isFloat) for (const count of [n, 2 * n, n]) m.double(14, count)
    else for (const delta of [n, n, -n]) m.signed(13, delta)
  })
}
