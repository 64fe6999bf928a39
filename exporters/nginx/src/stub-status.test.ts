import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseStubStatus, type StubStatus } from './stub-status.ts'

const page =
  'Active connections: 291 \nserver accepts handled requests\n 16630948 16630947 31070465 \nReading: 6 Writing: 179 Waiting: 106 \n'
const parse = (text: string): StubStatus => parseStubStatus(Buffer.from(text))
const wanted = { active: 291, accepted: 16_630_948, handled: 16_630_947, requests: 31_070_465, reading: 6, writing: 179, waiting: 106 }

test('the page of NGINX, of Tengine, with other line ends and with more behind it is read', () => {
  expect(parse(page)).toEqual(wanted)
  expect(parse(page.replaceAll('\n', '\r\n'))).toEqual(wanted)
  expect(parse(`${page}Sessions: 5\n`)).toEqual(wanted)
  expect(parse(page.replace('requests', 'requests request_time').replace('31070465', '31070465 777'))).toEqual(wanted)
})

test.each([
  ['nothing', ''],
  ['a page of HTML', '<html>Active connections: 1'],
  ['a line less', page.slice(0, page.indexOf('Reading'))],
  ['a negative number', page.replace('291', '-1')],
  ['a number less', page.replace(' 31070465', '')],
  ['more behind its last number', `${page.trimEnd()}x`],
])('%s is refused', (_, text) => {
  expect(() => parse(text)).toThrow('cannot read stub_status: want four lines from "Active connections: N" on, got ')
})

test('a page of line feeds is refused at once', () => {
  // Processor time: a busy machine makes it no longer.
  const before = process.cpuUsage()
  expect(() => parse(`Active connections: 1${'\n'.repeat(60_000)}`)).toThrow('cannot read stub_status')
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(200)
})

// What is read, said in another way.
const pattern =
  /^Active connections: ([0-9]+) *\r?\nserver accepts handled requests(?: request_time)? *\r?\n *([0-9]+) ([0-9]+) ([0-9]+)(?: +[0-9]+)? *\r?\nReading: ([0-9]+) Writing: ([0-9]+) Waiting: ([0-9]+)(?![^\t-\r ])/

test('whatever is changed in a page, it is read or refused as its description says', () => {
  let read = 0
  const pieces = ['', ' ', '\r', '\n', '\t', '0', '7', '12345678901234567890', ' request_time', '-', 'x', 'Reading: ']
  const change = fc.record({ at: fc.nat({ max: page.length }), removed: fc.nat({ max: 2 }), piece: fc.constantFrom(...pieces) })
  fc.assert(
    fc.property(fc.array(change, { maxLength: 2 }), (changes) => {
      let text = page
      for (const { at, removed, piece } of changes) text = text.slice(0, at) + piece + text.slice(at + removed)
      const match = pattern.exec(text)
      if (match === null) expect(() => parse(text)).toThrow('cannot read stub_status')
      else {
        read++
        expect(Object.values(parse(text))).toEqual(match.slice(1).map(Number))
      }
    }),
    { numRuns: 5_000 },
  )
  expect(read).toBeGreaterThan(500)
})
