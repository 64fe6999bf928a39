import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { parseExpression } from '@narthex/promql/parse/parse'
import { Receiver } from '@narthex/receive/receive'
import { silentLogger } from '@narthex/service/logger'
import { openStore } from '@narthex/tsdb/open-store'
import { HeadReader } from '@narthex/tsdb/select/head-reader'
import type { Store } from '@narthex/tsdb/store'
import { compress } from '@narthex/wire/snappy'
import { encodeOracle, oracle1, oracle2 } from '@narthex/wire/testdata/wire-oracle'
import { sharedCodec } from '@narthex/wire/wire-codec'
import { answerExemplars } from './answer-exemplars.ts'

// A request is read where it was uncompressed, and the next one goes to the same place: what is stored of it must not lie there.

const now = 1_700_000_000_000
let directory: string
let store: Store
let receiver: Receiver

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'received-bytes-'))
  store = openStore({ directory, log: silentLogger, memoryBytesMax: 2 ** 28, now: () => now, exemplarsMax: 100, logsMetadata: true })
  const { head, metadata, exemplars } = store
  receiver = new Receiver({
    appender: head,
    metadata: { setMetadata: (family, type, help, unit) => head.appendMetadata(family, type, help, unit), series: metadata },
    exemplars,
    now: () => now,
  })
})

afterAll(async () => {
  await store.close()
  rmSync(directory, { recursive: true, force: true })
})

/** What the server answers to a request; right afterwards its bytes are overwritten. */
function send(version: 1 | 2, message: object): { status: number; errorText: string } {
  const type = version === 1 ? 'application/x-protobuf' : 'application/x-protobuf;proto=io.prometheus.write.v2.Request'
  const { status, errorText } = receiver.receive(type, 'snappy', compress(encodeOracle(version === 1 ? oracle1 : oracle2, message)))
  const { bytes, scratchAt } = sharedCodec()
  bytes.fill(0x58, scratchAt)
  return { status, errorText }
}

function readNames(): string[] {
  const descriptor = store.head.descriptor()
  const reader = new HeadReader(descriptor)
  const set = reader.select([new Matcher('=~', '__name__', '.+')], -Infinity, Infinity)
  const columns = new SampleColumns()
  const found: string[] = []
  while (set.next()) {
    columns.clear()
    set.samples(columns)
    found.push(`${set.labels().toString()} ${Array.from(columns.values.subarray(0, columns.length)).join(' ')}`)
  }
  reader.release()
  store.head.releaseReader(descriptor)
  return found.sort()
}

const histogram = (timestamp: number): object => ({
  countInt: 3,
  sum: 4.5,
  zeroThreshold: 0.001,
  positiveSpans: [{ offset: 0, length: 2 }],
  positiveDeltas: [1, 1],
  timestamp,
})
const label = (name: string, value: string): object => ({ name, value })

test('series, samples, histograms, exemplars and metadata outlive the bytes of their request, in both versions', () => {
  for (let round = 0; round < 3; round++) {
    const time = now - 60_000 + 15_000 * round
    const first = Array.from({ length: 20 }, (_, i) => ({
      labels: [label('__name__', 'first'), label('i', String(i)), label('text', 'as long as a text of a label can well be')],
      samples: [{ value: 10 * round + i, timestamp: time }],
      exemplars: i === 3 ? [{ labels: [label('trace', `of-round-${round}`)], value: round, timestamp: time }] : [],
    }))
    expect(send(1, { timeseries: [...first, { labels: [label('__name__', 'counts')], histograms: [histogram(time)] }] }).status).toBe(204)
    const symbols = ['', '__name__', 'second', 'job', 'of 2.0', 'what it says', 'seconds', 'span', `s-${round}`]
    const timeseries = [
      {
        labelsRefs: [1, 2, 3, 4],
        samples: [{ value: 7 + round, timestamp: time }],
        exemplars: [{ labelsRefs: [7, 8], value: 0.5, timestamp: time }],
        metadata: { type: 2, helpRef: 5, unitRef: 6 },
      },
    ]
    expect(send(2, { symbols, timeseries }).status).toBe(204)
  }
  const names = readNames()
  expect(names).toHaveLength(22)
  expect(names).toContain('{__name__="second", job="of 2.0"} 7 8 9')
  expect(names).toContain('{__name__="first", i="7", text="as long as a text of a label can well be"} 7 17 27')
  expect(names.filter((text) => text.startsWith('{__name__="counts"}'))).toHaveLength(1)
  expect(Array.from(store.head.metadata.entries())).toContainEqual(['second', { type: 'gauge', help: 'what it says', unit: 'seconds' }])
  const out = new ByteWriter()
  answerExemplars(
    store.exemplars.ring.snapshot(),
    { expression: parseExpression('{__name__=~".+"}'), startMs: -Infinity, endMs: Infinity },
    out,
    () => {},
  )
  const answer = Buffer.from(out.view()).toString()
  for (const text of ['of-round-0', 'of-round-1', 'of-round-2', 's-0', 's-1', 's-2']) expect(answer).toContain(`"${text}"`)
  expect(answer).not.toContain('XX')
})

test('the texts of refusals do, too', () => {
  const timeseries = [0, 1].map((i) => ({
    labels: [label('__name__', 'first'), label('i', String(i)), label('text', 'as long as a text of a label can well be')],
    samples: [{ value: 999, timestamp: now - 60_000 }],
  }))
  const { status, errorText } = send(1, { timeseries })
  expect(status).toBe(400)
  expect(errorText).toContain('for series {__name__="first", i="1", text="as long as a text of a label can well be"}')
})
