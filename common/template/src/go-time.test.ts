import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GoDuration } from './go-duration.ts'
import { GoTime } from './go-time.ts'
import { parseLayout } from './go-time-parse.ts'

const time = new GoTime(1_709_211_845_067_800_001n)

// Results as Go 1.26's time package gives them.
describe('GoTime', () => {
  it.each([
    ['Mon Jan _2 15:04:05 2006', 'Thu Feb 29 13:04:05 2024'],
    ['02 Jan 06 15:04 MST', '29 Feb 24 13:04 UTC'],
    ['Monday, 02-Jan-06 15:04:05 -0700', 'Thursday, 29-Feb-24 13:04:05 +0000'],
    ['2006-01-02T15:04:05Z07:00', '2024-02-29T13:04:05Z'],
    ['15:04:05.000 15:04:05.999 15:04:05.99 15:04:05.0', '13:04:05.067 13:04:05.067 13:04:05.06 13:04:05.0'],
    ['3:04PM 03 4 5 pm', '1:04PM 01 4 5 pm'],
    ['002 __2 _2 _2006 2006年1月2日', '060  60 29 _2024 2024年2月29日'],
    ['Janet Month Jan2 05.0001', 'Janet Month Feb29 05.0002'],
  ])('formats %s', (layout, expected) => {
    expect(time.Format(layout)).toBe(expected)
  })

  it.each([
    ['Europe/Berlin', '2024-02-29 14:04:05.067800001 +0100 CET'],
    ['America/New_York', '2024-02-29 08:04:05.067800001 -0500 EST'],
    ['Asia/Kolkata', '2024-02-29 18:34:05.067800001 +0530 IST'],
    ['Asia/Tokyo', '2024-02-29 22:04:05.067800001 +0900 JST'],
    ['America/Sao_Paulo', '2024-02-29 10:04:05.067800001 -0300 -03'],
    ['America/St_Johns', '2024-02-29 09:34:05.067800001 -0330 NST'],
    ['Asia/Kathmandu', '2024-02-29 18:49:05.067800001 +0545 +0545'],
  ])('shows itself in %s', (zone, expected) => {
    expect(time.inZone(zone).String()).toBe(expected)
    expect(time.inZone(zone).Equal(time)).toBe(true)
  })

  it('knows its parts, before 1970 too', () => {
    const before = new GoTime(-1n)
    expect([before.Unix(), before.UnixMilli(), before.Nanosecond(), before.Year()]).toEqual([-1n, -1n, 999_999_999n, 1969n])
    expect([time.Month().String(), time.Weekday().String(), time.YearDay()]).toEqual(['February', 'Thursday', 60n])
  })

  it('adds, cuts and rounds', () => {
    expect(time.Add(new GoDuration(60_000_000_000n)).Sub(time).String()).toBe('1m0s')
    expect(time.AddDate(1n, 0n, 0n).Format('2006-01-02')).toBe('2025-03-01')
    expect(time.Truncate(3_600_000_000_000n).Format('15:04:05.999')).toBe('13:00:00')
    expect(time.Round(60_000_000_000n).Format('15:04:05')).toBe('13:04:00')
    expect(JSON.stringify(time)).toBe('"2024-02-29T13:04:05.067800001Z"')
  })

  it('reads back what it prints', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n }), (nanoseconds) => {
        for (const layout of [
          '2006-01-02T15:04:05.999999999Z07:00',
          '2006-01-02 15:04:05.000000000 -0700',
          'Jan _2 2006 3:04:05.999999999PM',
        ]) {
          expect(parseLayout(layout, new GoTime(nanoseconds).Format(layout)).epochNanoseconds).toBe(nanoseconds)
        }
      }),
    )
  })

  it.each([
    ['2006-01-02', '2024-02-30', 'parsing time "2024-02-30": day out of range'],
    ['2006-01-02', '2024-02-3', 'parsing time "2024-02-3" as "2006-01-02": cannot parse "3" as "02"'],
    ['2006-01-02', '2024-02-03x', 'parsing time "2024-02-03x": extra text: "x"'],
    ['15:04', '24:00', 'parsing time "24:00": hour out of range'],
  ])('refuses by %s the text %s', (layout, text, message) => {
    expect(() => parseLayout(layout, text)).toThrow(new Error(message))
  })
})

describe('GoDuration', () => {
  it.each([
    [0n, '0s'],
    [1n, '1ns'],
    [1_100n, '1.1µs'],
    [2_200_000n, '2.2ms'],
    [3_300_000_000n, '3.3s'],
    [245_000_000_000n, '4m5s'],
    [245_001_000_000n, '4m5.001s'],
    [18_367_001_000_000n, '5h6m7.001s'],
    [-90_000_000_000n, '-1m30s'],
    [9_223_372_036_854_775_807n, '2562047h47m16.854775807s'],
  ])('prints %d ns as %s', (nanoseconds, text) => {
    expect(new GoDuration(nanoseconds).String()).toBe(text)
  })

  it('comes from seconds as Go converts floats', () => {
    expect(GoDuration.fromSeconds(1.5).nanoseconds).toBe(1_500_000_000n)
    expect(GoDuration.fromSeconds(NaN).nanoseconds).toBe(-(1n << 63n))
  })
})
