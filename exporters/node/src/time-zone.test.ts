import fc from 'fast-check'
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { loadLocalTimeZone, parseZone, type TimeZone } from './time-zone.ts'

/** A TZif file of version 2 with the given 64-bit transitions. */
function zoneFile(
  types: readonly (readonly [seconds: number, name: string])[],
  transitions: readonly (readonly [number, number])[],
  footer: string,
) {
  const names = types.map(([, name]) => name + '\0')
  const header = (counts: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(44)
    bytes.write('TZif2')
    counts.forEach((count, index) => bytes.writeUInt32BE(count, 20 + index * 4))
    return bytes
  }
  const times = Buffer.alloc(transitions.length * 8)
  transitions.forEach(([time], index) => times.writeBigInt64BE(BigInt(time), index * 8))
  const typeBytes = Buffer.alloc(types.length * 6)
  types.forEach(([seconds], index) => {
    typeBytes.writeInt32BE(seconds, index * 6)
    typeBytes[index * 6 + 5] = names.slice(0, index).join('').length
  })
  return Buffer.concat([
    header([0, 0, 0, 0, 0, 0]),
    header([0, 0, 0, transitions.length, types.length, names.join('').length]),
    times,
    Buffer.from(transitions.map(([, type]) => type)),
    typeBytes,
    Buffer.from(names.join('')),
    Buffer.from(`\n${footer}\n`),
  ])
}

const at = (zone: TimeZone, date: string) => zone.at(Date.parse(date) / 1000)

test('times between transitions have the type of the one before', () => {
  const zone = parseZone(
    zoneFile(
      [
        [3600, 'CET'],
        [7200, 'CEST'],
      ],
      [
        [1000, 1],
        [2000, 0],
      ],
      '',
    ),
  )
  expect([999, 1000, 1999, 2000].map((seconds) => zone.at(seconds).name)).toEqual(['CET', 'CEST', 'CEST', 'CET'])
})

test('times behind the last transition follow the rule, on both hemispheres', () => {
  const berlin = parseZone(zoneFile([[3600, 'CET']], [[1000, 0]], 'CET-1CEST,M3.5.0,M10.5.0/3'))
  expect(at(berlin, '2026-03-29T00:59:59Z')).toEqual({ name: 'CET', offsetSeconds: 3600 })
  expect(at(berlin, '2026-03-29T01:00:00Z')).toEqual({ name: 'CEST', offsetSeconds: 7200 })
  expect(at(berlin, '2026-10-25T00:59:59Z').name).toBe('CEST')
  expect(at(berlin, '2026-10-25T01:00:00Z').name).toBe('CET')
  const sydney = parseZone(zoneFile([[36000, 'AEST']], [[1000, 0]], 'AEST-10AEDT,M10.1.0,M4.1.0/3'))
  expect(at(sydney, '2026-01-15T00:00:00Z')).toEqual({ name: 'AEDT', offsetSeconds: 39600 })
  expect(at(sydney, '2026-07-15T00:00:00Z').name).toBe('AEST')
  const kabul = parseZone(zoneFile([[16200, '+0430']], [[1000, 0]], '<+0430>-4:30'))
  expect(at(kabul, '2026-07-15T00:00:00Z')).toEqual({ name: '+0430', offsetSeconds: 16200 })
})

test('offsets are those of Intl', () => {
  for (const name of ['Europe/Berlin', 'America/New_York', 'Asia/Kathmandu', 'Australia/Lord_Howe']) {
    const path = `/usr/share/zoneinfo/${name}`
    if (!existsSync(path)) continue
    const zone = parseZone(readFileSync(path))
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2_500_000_000 }), (seconds) => {
        const text = new Intl.DateTimeFormat('en', { timeZone: name, timeZoneName: 'longOffset' }).format(seconds * 1000)
        const [, sign, hours = '0', minutes = '0'] = /GMT(?:([+-])(\d\d):(\d\d))?$/.exec(text) ?? []
        const offset = (Number(hours) * 3600 + Number(minutes) * 60) * (sign === '-' ? -1 : 1)
        expect(zone.at(seconds).offsetSeconds).toBe(offset)
      }),
      { numRuns: 200 },
    )
  }
})

test('a zone that cannot be read is UTC', () => {
  expect(loadLocalTimeZone('No/Such').at(0)).toEqual({ name: 'UTC', offsetSeconds: 0 })
  expect(loadLocalTimeZone('').at(0).name).toBe('UTC')
  expect(() => parseZone(Buffer.from('rubbish of some length, longer than a header'))).toThrow('cannot read time zone')
})
