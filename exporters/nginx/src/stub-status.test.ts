import { expect, test } from 'vitest'
import { parseStubStatus } from './stub-status.ts'

const page =
  'Active connections: 291 \nserver accepts handled requests\n 16630948 16630947 31070465 \nReading: 6 Writing: 179 Waiting: 106 \n'
const wanted = { active: 291, accepted: 16_630_948, handled: 16_630_947, requests: 31_070_465, reading: 6, writing: 179, waiting: 106 }

test('the page of NGINX, of Tengine, with other line ends and with more behind it is read', () => {
  expect(parseStubStatus(page)).toEqual(wanted)
  expect(parseStubStatus(page.replaceAll('\n', '\r\n'))).toEqual(wanted)
  expect(parseStubStatus(`${page}Sessions: 5\n`)).toEqual(wanted)
  expect(parseStubStatus(page.replace('requests', 'requests request_time').replace('31070465', '31070465 777'))).toEqual(wanted)
})

test.each([
  ['nothing', ''],
  ['a page of HTML', '<html>Active connections: 1'],
  ['a line less', page.slice(0, page.indexOf('Reading'))],
  ['a negative number', page.replace('291', '-1')],
  ['a number less', page.replace(' 31070465', '')],
  ['more behind its last number', `${page.trimEnd()}x`],
])('%s is refused', (_, text) => {
  expect(() => parseStubStatus(text)).toThrow('cannot read stub_status: want four lines from "Active connections: N" on, got ')
})

test('a page of line feeds is refused at once', () => {
  // Processor time: a busy machine makes it no longer.
  const before = process.cpuUsage()
  expect(() => parseStubStatus(`Active connections: 1${'\n'.repeat(60_000)}`)).toThrow('cannot read stub_status')
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(200)
})
