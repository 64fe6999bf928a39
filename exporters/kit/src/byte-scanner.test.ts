import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ByteScanner } from './byte-scanner.ts'

test('lines and fields come out as split does them', () => {
  const text = fc.stringMatching(/^[a-z0-9 \t\n]{0,60}$/)
  fc.assert(
    fc.property(text, (body) => {
      const scanner = new ByteScanner()
      scanner.load(Buffer.from(body))
      const lines: string[][] = []
      while (scanner.nextLine()) {
        const fields: string[] = []
        while (scanner.nextField()) fields.push(scanner.text())
        lines.push(fields)
      }
      const expected = body.split('\n').map((line) => line.split(/[ \t]+/).filter((field) => field !== ''))
      if (body === '' || body.endsWith('\n')) expected.pop()
      expect(lines).toEqual(expected)
    }),
  )
})

test('every unsigned 64-bit integer becomes the nearest double', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
      const scanner = new ByteScanner()
      scanner.load(Buffer.from(String(value)))
      scanner.nextLine()
      expect(scanner.nextUnsigned()).toBe(Number(value))
    }),
  )
})

test.each(['', '-1', '1.5', '0x10', '1a'])('%j is no unsigned integer', (text) => {
  const scanner = new ByteScanner()
  scanner.load(Buffer.from(text + '\n'))
  scanner.nextLine()
  expect(scanner.nextUnsigned()).toBeNaN()
})
