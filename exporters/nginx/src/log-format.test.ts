import fc from 'fast-check'
import { expect, test } from 'vitest'
import { accessLogFields, createFieldPlaces, type LineReader } from './access-log-fields.ts'
import { readAutomatically } from './automatic-format.ts'
import { readJsonLine } from './json-line.ts'
import { combinedFormat, compileLogFormat } from './log-format.ts'

/** The fields that a reader finds in a line that stands in the middle of other bytes; undefined if it refuses the line. */
function read(reader: LineReader, line: string): Record<string, string> | undefined {
  const bytes = Buffer.from(`before "[ ${line}" after ]\n`)
  const start = 'before "[ '.length
  const places = createFieldPlaces()
  if (!reader(bytes, start, start + Buffer.byteLength(line), places)) return undefined
  const found = accessLogFields.map((name, i) => [name, bytes.toString('utf8', places[2 * i], places[2 * i + 1])] as const)
  return Object.fromEntries(found.filter(([, value]) => value !== ''))
}

// NGINX writes \x22 for a quote inside of a variable.
const combined = '127.0.0.1 - - [29/Nov/2026:14:00:00 +0000] "GET /a?b=\\x22 HTTP/1.1" 200 612 "-" "curl/7.88"'

test('the combined format is read, also with more behind it', () => {
  const fields = { status: '200', request: 'GET /a?b=\\x22 HTTP/1.1', body_bytes_sent: '612' }
  expect(read(compileLogFormat(combinedFormat), combined)).toEqual(fields)
  expect(read(compileLogFormat(combinedFormat), `${combined} "10.0.0.1"`)).toEqual(fields)
  expect(read(readAutomatically, combined)).toEqual(fields)
})

test('the text of a log_format says where the fields are', () => {
  const format = '$remote_addr|${host}|$server_name|"$request" $status $request_time [$upstream_addr] $upstream_response_time'
  expect(read(compileLogFormat(format), '::1|a.test|b.test|"GET / HTTP/2.0" 404 0.012 [10.0.0.1:80, 10.0.0.2:80] 0.001, 0.010')).toEqual({
    host: 'a.test',
    server_name: 'b.test',
    request: 'GET / HTTP/2.0',
    status: '404',
    request_time: '0.012',
    upstream_addr: '10.0.0.1:80, 10.0.0.2:80',
    upstream_response_time: '0.001, 0.010',
  })
})

test.each(['', 'hello', combined.slice(0, 60), combined.slice(0, -1), combined.replace(' [', ' ')])(
  'a line that is not of the format is refused: %j',
  (line) => {
    expect(read(compileLogFormat(combinedFormat), line)).toBeUndefined()
  },
)

test.each([
  ['$remote_addr', 'want $status in it'],
  ['$status$host', 'want text between $status and $host'],
  ['no variable', 'want $status in it'],
])('a format that cannot be read back is refused: %s', (format, problem) => {
  expect(() => compileLogFormat(format)).toThrow(`cannot use log format ${JSON.stringify(format)}: ${problem}`)
})

test('lines of JSON are read in any order, with other keys, nested values and blanks', () => {
  const line =
    '{ "time": 1.5, "status": 200 ,"host":"a\\"b","more":{"status":"1","x":["}"]},"request_time":"0.005","flag":true, "bytes_sent":12}'
  const fields = { status: '200', host: 'a\\"b', request_time: '0.005', bytes_sent: '12' }
  expect(read(readJsonLine, line)).toEqual(fields)
  expect(read(readAutomatically, line)).toEqual(fields)
  expect(read(readJsonLine, '{}')).toEqual({})
})

test.each(['', 'x', '{', '{"status"', '{"status":', '{"status":2', '{"status":"2}', '{"a":[1,2}', '{"a":1 "b":2}', '{status:1}', '[1]'])(
  'JSON that does not end, or has no keys, is refused: %j',
  (line) => expect(read(readJsonLine, line)).toBeUndefined(),
)

test('what JSON.stringify writes is read back', () => {
  const text = fc.string({ maxLength: 12 })
  const entries = fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.array(text)))
  fc.assert(
    fc.property(entries, text, fc.nat(999), (others, host, status) => {
      const fields = read(readJsonLine, JSON.stringify({ ...others, host, status }))
      expect(fields!['status']).toBe(String(status))
      expect(JSON.parse(`"${fields!['host'] ?? ''}"`)).toBe(host)
    }),
  )
})

test('no bytes make a reader look outside of the line', () => {
  const format = compileLogFormat('$host "$request" $status $request_time')
  fc.assert(
    fc.property(fc.stringMatching(/^[{}[\]",:\\ a1$-]{0,40}$/), (line) => {
      for (const reader of [format, readJsonLine, readAutomatically]) {
        const bytes = Buffer.from(`""${line}"" " 200 1"}`)
        const places = createFieldPlaces()
        reader(bytes, 2, 2 + line.length, places)
        for (let i = 0; i < places.length; i += 2) {
          expect(places[i + 1]!).toBeGreaterThanOrEqual(places[i]!)
          expect(places[i + 1]!).toBeLessThanOrEqual(2 + line.length)
        }
      }
    }),
  )
})
