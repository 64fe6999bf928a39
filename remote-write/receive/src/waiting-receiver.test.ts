import { RemoteWrite2Writer } from '@narthex/wire/remote-write-2-writer'
import { compress } from '@narthex/wire/snappy'
import { expect, test } from 'vitest'
import { WaitingReceiver } from './waiting-receiver.ts'

const type2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request'

function body2(): Uint8Array {
  const writer = new RemoteWrite2Writer()
  const name = writer.addSymbol('__name__')
  const value = writer.addSymbol('up')
  writer.series(Uint8Array.of(0x0a, 2, name, value), 0, 4, undefined, 1_700_000_000_000, 0, 0x3ff00000)
  return compress(writer.view())
}

function make(keep: (version: 1 | 2, body: Uint8Array) => boolean) {
  const errors: unknown[] = []
  const receiver = new WaitingReceiver({ waiting: { keep }, keepsExemplars: false, onError: (error) => errors.push(error) })
  return { receiver, errors }
}

test('a well-formed request is kept as it came, and its samples count as written', () => {
  const kept: unknown[] = []
  const { receiver } = make((version, body) => kept.push([version, [...body]]) > 0)
  const { status, headers } = receiver.receive(type2, 'snappy', body2())
  expect(status).toBe(204)
  expect(headers).toMatchObject({ 'X-Prometheus-Remote-Write-Samples-Written': '1', 'X-Prometheus-Remote-Write-Exemplars-Written': '0' })
  expect(kept).toEqual([[2, [...body2()]]])
})

test('what is malformed or of another type is refused at once and not kept', () => {
  const { receiver } = make(() => {
    throw new Error('must not be kept')
  })
  expect(receiver.receive('application/json', 'snappy', body2()).status).toBe(415)
  expect(receiver.receive(type2, 'gzip', body2()).status).toBe(415)
  expect(receiver.receive(type2, 'snappy', body2().subarray(0, 9)).status).toBe(400)
  expect(receiver.receive(type2, 'snappy', compress(Uint8Array.of(0x2a, 0x7f, 1))).status).toBe(400)
})

test('when too much waits, the sender is told to come again', () => {
  const { receiver } = make(() => false)
  expect(receiver.receive(type2, undefined, body2())).toMatchObject({ status: 429, headers: { 'Retry-After': '5' } })
})

test('when the disk cannot be written, nothing is acknowledged', () => {
  const { receiver, errors } = make(() => {
    throw new Error('ENOSPC: no space left on device')
  })
  const { status, headers, errorText, counts } = receiver.receive(type2, undefined, body2())
  expect({ status, retry: headers['Retry-After'], samples: counts.samples }).toEqual({ status: 503, retry: '5', samples: 0 })
  expect(errorText).toBe('cannot keep the request until the storage is read: ENOSPC: no space left on device')
  expect(errors).toHaveLength(1)
})
