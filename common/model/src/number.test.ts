import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  formatFloat,
  formatFloatExponent,
  formatFloatG,
  formatFloatPlain,
  formatOpenMetricsFloat,
  formatTimestampSeconds,
  parseGoFloat,
} from './number.ts'

// value, 'f', 'e', 'g' as Go 1.26's strconv.FormatFloat(value, _, -1, 64) prints them.
const printed: readonly (readonly [number, string, string, string])[] = [
  [0, '0', '0e+00', '0'],
  [-0, '-0', '-0e+00', '-0'],
  [1, '1', '1e+00', '1'],
  [0.1, '0.1', '1e-01', '0.1'],
  [1e-4, '0.0001', '1e-04', '0.0001'],
  [9.99e-5, '0.0000999', '9.99e-05', '9.99e-05'],
  [1e-7, '0.0000001', '1e-07', '1e-07'],
  [999999, '999999', '9.99999e+05', '999999'],
  [1e6, '1000000', '1e+06', '1e+06'],
  [123456789, '123456789', '1.23456789e+08', '1.23456789e+08'],
  [123456.7, '123456.7', '1.234567e+05', '123456.7'],
  [1e20, '100000000000000000000', '1e+20', '1e+20'],
  [1e21, '1000000000000000000000', '1e+21', '1e+21'],
  [12345678901234567000, '12345678901234567000', '1.2345678901234567e+19', '1.2345678901234567e+19'],
  [-1.5e25, '-15000000000000000000000000', '-1.5e+25', '-1.5e+25'],
  [NaN, 'NaN', 'NaN', 'NaN'],
  [Infinity, '+Inf', '+Inf', '+Inf'],
  [-Infinity, '-Inf', '-Inf', '-Inf'],
]

describe('floats print as Go prints them', () => {
  it.each(printed)('%d', (value, plain, exponent, general) => {
    expect(formatFloatPlain(value)).toBe(plain)
    expect(formatFloatExponent(value)).toBe(exponent)
    expect(formatFloatG(value)).toBe(general)
  })

  it("the API's form takes an exponent below 1e-6 and from 1e21 on", () => {
    expect(formatFloat(1e-6)).toBe('0.000001')
    expect(formatFloat(9.9e-7)).toBe('9.9e-07')
    expect(formatFloat(999999999999999900000)).toBe('999999999999999900000')
    expect(formatFloat(1e21)).toBe('1e+21')
    expect(formatFloat(5e-324)).toBe('5e-324')
    expect(formatFloat(-0)).toBe('-0')
    expect(formatFloat(-Infinity)).toBe('-Inf')
  })

  it('every form reads back as the same number', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        for (const format of [formatFloat, formatFloatPlain, formatFloatExponent, formatFloatG])
          expect(parseGoFloat(format(value))).toBe(value)
      }),
    )
  })

  it('OpenMetrics floats carry a point or an exponent', () => {
    expect([0, -0, 1, -1, 0.5, 10, 1e6, NaN, Infinity, -Infinity].map(formatOpenMetricsFloat)).toEqual([
      '0.0',
      '0.0',
      '1.0',
      '-1.0',
      '0.5',
      '10.0',
      '1e+06',
      'NaN',
      '+Inf',
      '-Inf',
    ])
  })

  it('times print as seconds with no or three decimals', () => {
    expect([0, 1, 10, 500, 1000, 1435781430781, -1, -1500, -1000].map(formatTimestampSeconds)).toEqual([
      '0',
      '0.001',
      '0.010',
      '0.500',
      '1',
      '1435781430.781',
      '-0.001',
      '-1.500',
      '-1',
    ])
  })
})

describe('parseGoFloat', () => {
  it.each([
    ['+1', 1],
    ['1.', 1],
    ['.5', 0.5],
    ['1e5', 1e5],
    ['1E-2', 0.01],
    ['1e-400', 0],
    ['-0', -0],
    ['inf', Infinity],
    ['+INFINITY', Infinity],
    ['-Inf', -Infinity],
    ['nan', NaN],
    ['1_000', 1000],
    ['0x1p-2', 0.25],
    ['0X1.8P1', 3],
    ['-0x.8p0', -0.5],
    ['0x_1p0', 1],
    ['0x1p1_0', 1024],
    ['0x1.fffffffffffff7p1023', Number.MAX_VALUE],
    ['0x1p-1074', 5e-324],
    ['0x1p-1075', 0],
    ['0x1.8p-1075', 5e-324],
    ['0x1.00000000000008p0', 1],
    ['0x1.00000000000018p0', 1 + 2 * Number.EPSILON],
    ['0x0p99999999999999999999', 0],
    ['1.7976931348623157e308', Number.MAX_VALUE],
  ])('reads %s', (text, value) => {
    expect(parseGoFloat(text)).toBe(value)
  })

  it.each([
    '',
    '.',
    'e5',
    ' 1',
    '1 ',
    '1e',
    '+nan',
    'infinit',
    '0x1',
    '0x1.',
    '0xp1',
    '1__0',
    '_1',
    '1_',
    '1_e5',
    '0b1',
    '1e400',
    '-1e400',
    '0x1p1024',
  ])('refuses %j', (text) => {
    expect(parseGoFloat(text)).toBeUndefined()
  })
})
