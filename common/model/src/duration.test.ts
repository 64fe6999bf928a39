import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { durationMsMax, formatDuration, parseDuration, parseSignedDuration } from './duration.ts'

describe('parseDuration', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['324ms', 324],
    ['3s', 3000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['4d', 345_600_000],
    ['4d1h', 349_200_000],
    ['14d', 1_209_600_000],
    ['3w', 1_814_400_000],
    ['3w2d1h', 1_990_800_000],
    ['10y', 315_360_000_000],
    ['1y2w3d4h5m6s7ms', 33_019_506_007],
    ['9223372036854ms', durationMsMax],
    ['292y', 292 * 365 * 86_400_000],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each([
    ['', 'empty duration string'],
    ['1', 'not a valid duration string: "1"'],
    ['-1s', 'not a valid duration string: "-1s"'],
    ['1.5d', 'unknown unit "." in duration "1.5d"'],
    ['d', 'not a valid duration string: "d"'],
    ['1m1', 'not a valid duration string: "1m1"'],
    ['1s1m', 'not a valid duration string: "1s1m"'],
    ['1m1m', 'not a valid duration string: "1m1m"'],
    ['1x', 'unknown unit "x" in duration "1x"'],
    ['1 s', 'unknown unit " s" in duration "1 s"'],
    ['9223372036855ms', 'duration out of range'],
    ['293y', 'duration out of range'],
    ['18446744073709551615ms', 'duration out of range'],
    ['18446744073709551616ms', 'not a valid duration string: "18446744073709551616ms"'],
  ])('refuses %j', (text, message) => {
    expect(() => parseDuration(text)).toThrow(new Error(message))
  })

  it('takes a sign only where asked', () => {
    expect(parseSignedDuration('-5m')).toBe(-300_000)
  })
})

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [90 * 86_400_000, '90d'],
    [7 * 86_400_000, '1w'],
    [365 * 86_400_000, '1y'],
    [366 * 86_400_000, '366d'],
    [372 * 86_400_000, '372d'],
    [3_661_001, '1h1m1s1ms'],
    [-1500, '-1s500ms'],
  ])('prints %d ms as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })

  it('prints what reads back as the same duration', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: durationMsMax }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms)
      }),
    )
  })
})
