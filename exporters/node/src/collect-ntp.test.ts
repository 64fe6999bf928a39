import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { createSocket, type Socket } from 'node:dgram'
import { afterEach, expect, test } from 'vitest'
import { createNtpCollector } from './collect-ntp.ts'
import { collectText, createEnvironment } from './test-collect.ts'

// A server whose answers are made from what it was asked; the local clock stands still at 1,700,000,000 s.

const nowSeconds = 1_700_000_000
const ntpOffset = 2_208_988_800

let server: Socket | undefined
afterEach(() => {
  server?.close()
  server = undefined
})

interface Answer {
  readonly first?: number
  readonly stratum?: number
  readonly rootDelay?: number
  readonly rootDispersion?: number
  readonly referenceSeconds?: number
  /** Seconds by which the server's clock is ahead. */
  readonly ahead?: number
  readonly origin?: 'asked' | 'other'
  readonly bytes?: number
}

async function collect(answer: Answer | undefined, flags: FlagValues = {}): Promise<Map<string, number>> {
  server = createSocket('udp4')
  await new Promise<void>((resolve) => server!.bind(0, '127.0.0.1', resolve))
  server.on('message', (question, { port }) => {
    if (answer !== undefined) server!.send(makeAnswer(question, answer), port, '127.0.0.1')
  })
  const environment = createEnvironment({ 'collector.ntp.server-port': server.address().port, ...flags })
  const text = await collectText(createNtpCollector(environment))
  return new Map(
    text.split('\n').flatMap((line) => (line.startsWith('node_ntp_') ? [[line.split(' ')[0]!.slice(9), Number(line.split(' ')[1])]] : [])),
  )
}

function makeAnswer(question: Buffer, answer: Answer): Buffer {
  const bytes = Buffer.alloc(answer.bytes ?? 48)
  if (bytes.length < 48) return bytes
  const writeTime = (seconds: number, offset: number): void => {
    bytes.writeUInt32BE(Math.floor(seconds) + ntpOffset, offset)
    bytes.writeUInt32BE(Math.floor((seconds % 1) * 2 ** 32), offset + 4)
  }
  bytes[0] = answer.first ?? 0x24 // no leap second, version 4, mode 4
  bytes[1] = answer.stratum ?? 2
  bytes.writeUInt32BE((answer.rootDelay ?? 0.5) * 65_536, 4)
  bytes.writeUInt32BE((answer.rootDispersion ?? 0.25) * 65_536, 8)
  writeTime(answer.referenceSeconds ?? nowSeconds - 100, 16)
  question.copy(bytes, 24, 40, 48)
  if (answer.origin === 'other') bytes[24]! ^= 1
  writeTime(nowSeconds + (answer.ahead ?? 0), 32)
  writeTime(nowSeconds + (answer.ahead ?? 0), 40)
  return bytes
}

test('an answer is shown in seconds', async () => {
  expect(Object.fromEntries(await collect({}))).toEqual({
    leap: 0,
    offset_seconds: 0,
    reference_timestamp_seconds: nowSeconds - 100,
    root_delay_seconds: 0.5,
    root_dispersion_seconds: 0.25,
    rtt_seconds: 0,
    sanity: 1,
    stratum: 2,
  })
})

test.each<[string, Answer, FlagValues]>([
  ['a clock that is too far off', { ahead: 0.0078125 }, {}],
  ['a leap indicator that says not in sync', { first: 0xe4 }, {}],
  ['a kiss of death', { stratum: 0 }, {}],
  ['the stratum of a clock that is not set', { stratum: 16 }, {}],
  ['a reference that is too old', { referenceSeconds: nowSeconds - 131_073 }, {}],
  ['a reference in the future', { referenceSeconds: nowSeconds + 1 }, {}],
  ['a distance beyond the limit', { rootDispersion: 3.5 }, {}],
  ['a distance beyond a limit given', {}, { 'collector.ntp.max-distance': '400ms' }],
])('%s is not sane', async (_, answer, flags) => {
  expect((await collect(answer, flags)).get('sanity')).toBe(0)
})

test('an offset within the tolerance is sane, and told with its sign', async () => {
  const values = await collect({ ahead: 0.5 }, { 'collector.ntp.local-offset-tolerance': '1s' })
  expect(values.get('offset_seconds')).toBe(0.5)
  expect(values.get('sanity')).toBe(1)
})

test('on the day of a leap second a whole second is tolerated', async () => {
  const values = await collect({ first: 0x64, ahead: 0.5 })
  expect(values.get('leap')).toBe(1)
  expect(values.get('sanity')).toBe(1)
})

test('a reference before 1970 is one after 2036, as the era wraps around', async () => {
  expect((await collect({ referenceSeconds: -ntpOffset })).get('reference_timestamp_seconds')).toBe(2 ** 32 - ntpOffset)
})

test.each<[Answer, string]>([
  [{ origin: 'other' }, 'want the answer to this question, got another'],
  [{ bytes: 20 }, 'want 48 bytes, got 20'],
  [{ first: 0x23 }, 'want mode 4, got 3'],
])('an answer that is none is refused: %j', async (answer, reason) => {
  await expect(collect(answer)).rejects.toThrow(reason)
})

test('a closed port is told at once, with who was asked', async () => {
  const taken = createSocket('udp4')
  await new Promise<void>((resolve) => taken.bind(0, '127.0.0.1', resolve))
  const { port } = taken.address()
  taken.close()
  const collector = createNtpCollector(createEnvironment({ 'collector.ntp.server-port': port }))
  await expect(collectText(collector)).rejects.toThrow(`cannot query NTP server 127.0.0.1 port ${port}: `)
})

test.each<[FlagValues, string]>([
  [{ 'collector.ntp.server': 'pool.example' }, 'want the IP address of a local server (or server-is-local), got pool.example'],
  [{ 'collector.ntp.protocol-version': 5 }, 'want 2 to 4, got 5'],
  [{ 'collector.ntp.server-port': 0 }, 'want 1 to 65535, got 0'],
  [{ 'collector.ntp.max-distance': '3' }, 'want a duration as 3.5s, got "3"'],
])('a flag that cannot be used stops the start: %j', (flags, reason) => {
  expect(() => createNtpCollector(createEnvironment(flags))).toThrow(reason)
})
