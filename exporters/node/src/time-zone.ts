import { readFileSync } from 'node:fs'

export interface ZoneOffset {
  /** Abbreviation such as `CET`. */
  readonly name: string
  /** East of UTC. */
  readonly offsetSeconds: number
}

export interface TimeZone {
  at(unixSeconds: number): ZoneOffset
}

const utc: TimeZone = { at: () => ({ name: 'UTC', offsetSeconds: 0 }) }
const zoneDirectories = ['/usr/share/zoneinfo', '/usr/lib/zoneinfo', '/etc/zoneinfo']

/**
 * The zone that a Go program takes for local: /etc/localtime without TZ, else the file that TZ names; UTC if it cannot be read.
 * (Intl knows the offsets too, but prints `GMT+1` where the zone's own abbreviation is `CET`.)
 */
export function loadLocalTimeZone(tz: string | undefined): TimeZone {
  if (tz === undefined) return readZone('/etc/localtime') ?? utc
  const name = tz.startsWith(':') ? tz.slice(1) : tz
  if (name === '' || name === 'UTC') return utc
  if (name.startsWith('/')) return readZone(name) ?? utc
  if (name.includes('..')) return utc
  for (const directory of zoneDirectories) {
    const zone = readZone(`${directory}/${name}`)
    if (zone !== undefined) return zone
  }
  return utc
}

function readZone(path: string): TimeZone | undefined {
  try {
    return parseZone(readFileSync(path))
  } catch {
    return undefined
  }
}

/** Reads a TZif file (RFC 9636) of version 2 or later. Throws on anything else. */
export function parseZone(bytes: Buffer): TimeZone {
  const first = readHeader(bytes, 0)
  // The first block has 32-bit times; the second one, behind it, the same in 64 bits.
  const start = first.dataStart + blockBytes(first, 4)
  const header = readHeader(bytes, start)
  const { transitionCount, typeCount } = header
  const indexes = header.dataStart + transitionCount * 8
  const types = indexes + transitionCount
  const names = types + typeCount * 6
  const footerStart = header.dataStart + blockBytes(header, 8)
  const footer = bytes.toString('latin1', footerStart + 1, bytes.indexOf(10, footerStart + 1))
  const rule = parsePosixRule(footer)

  function readType(index: number): ZoneOffset {
    const offset = types + index * 6
    const nameStart = names + bytes[offset + 5]!
    return { name: bytes.toString('latin1', nameStart, bytes.indexOf(0, nameStart)), offsetSeconds: bytes.readInt32BE(offset) }
  }

  function at(unixSeconds: number): ZoneOffset {
    let low = 0
    let high = transitionCount
    while (low < high) {
      const middle = (low + high) >> 1
      if (Number(bytes.readBigInt64BE(header.dataStart + middle * 8)) <= unixSeconds) low = middle + 1
      else high = middle
    }
    if (low === transitionCount && rule !== undefined) return rule.at(unixSeconds)
    return readType(low === 0 ? 0 : bytes[indexes + low - 1]!)
  }

  return { at }
}

interface Header {
  readonly dataStart: number
  readonly isUtcCount: number
  readonly isStandardCount: number
  readonly leapCount: number
  readonly transitionCount: number
  readonly typeCount: number
  readonly nameBytes: number
}

// ┌ "TZif" 4 B ┬ version 1 B ┬ reserved 15 B ┬ isutcnt isstdcnt leapcnt timecnt typecnt charcnt, 4 B each ┐ big endian
function readHeader(bytes: Buffer, start: number): Header {
  if (bytes.toString('latin1', start, start + 4) !== 'TZif' || bytes[start + 4]! < 0x32) {
    throw new Error('cannot read time zone: want TZif of version 2 or later, got other bytes')
  }
  const count = (index: number): number => bytes.readUInt32BE(start + 20 + index * 4)
  return {
    dataStart: start + 44,
    isUtcCount: count(0),
    isStandardCount: count(1),
    leapCount: count(2),
    transitionCount: count(3),
    typeCount: count(4),
    nameBytes: count(5),
  }
}

function blockBytes(header: Header, timeBytes: number): number {
  return (
    header.transitionCount * (timeBytes + 1) +
    header.typeCount * 6 +
    header.nameBytes +
    header.leapCount * (timeBytes + 4) +
    header.isStandardCount +
    header.isUtcCount
  )
}

interface RuleDate {
  readonly month: number
  readonly week: number
  readonly weekday: number
  readonly seconds: number
}

const posixName = '([A-Za-z]{3,}|<[A-Za-z0-9+-]+>)'
const posixTime = '([+-]?\\d{1,3}(?::\\d{2}(?::\\d{2})?)?)'
const posixRule = new RegExp(`^${posixName}${posixTime}(?:${posixName}${posixTime}?,([^,]+),([^,]+))?$`)

/** The footer that speaks for times behind the last transition, `CET-1CEST,M3.5.0,M10.5.0/3`; undefined for forms no zone uses today. */
function parsePosixRule(text: string): TimeZone | undefined {
  const match = posixRule.exec(text)
  if (match === null) return undefined
  const standard: ZoneOffset = { name: match[1]!.replace(/[<>]/g, ''), offsetSeconds: -parseTime(match[2]!) }
  if (match[3] === undefined) return { at: () => standard }
  const summer: ZoneOffset = {
    name: match[3].replace(/[<>]/g, ''),
    offsetSeconds: match[4] === undefined ? standard.offsetSeconds + 3600 : -parseTime(match[4]),
  }
  const from = parseRuleDate(match[5]!)
  const until = parseRuleDate(match[6]!)
  if (from === undefined || until === undefined) return undefined

  function at(unixSeconds: number): ZoneOffset {
    const year = new Date((unixSeconds + standard.offsetSeconds) * 1000).getUTCFullYear()
    const start = ruleStart(year, from!) - standard.offsetSeconds
    const end = ruleStart(year, until!) - summer.offsetSeconds
    const isSummer = start < end ? unixSeconds >= start && unixSeconds < end : unixSeconds >= start || unixSeconds < end
    return isSummer ? summer : standard
  }
  return { at }
}

function parseRuleDate(text: string): RuleDate | undefined {
  const match = /^M(\d+)\.(\d)\.(\d)(?:\/(.+))?$/.exec(text)
  if (match === null) return undefined
  return { month: Number(match[1]), week: Number(match[2]), weekday: Number(match[3]), seconds: parseTime(match[4] ?? '2') }
}

function parseTime(text: string): number {
  const [hours = '0', minutes = '0', seconds = '0'] = text.replace(/^[+-]/, '').split(':')
  const total = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  return text.startsWith('-') ? -total : total
}

/** Unix seconds, taken as UTC, of the rule's day and time in a year; week 5 is the last one of the month. */
function ruleStart(year: number, { month, week, weekday, seconds }: RuleDate): number {
  const firstWeekday = new Date(Date.UTC(year, month - 1, 1)).getUTCDay()
  const daysInMonth = new Date(Date.UTC(year, month, 0)).getUTCDate()
  let day = 1 + ((weekday - firstWeekday + 7) % 7) + (week - 1) * 7
  while (day > daysInMonth) day -= 7
  return Date.UTC(year, month - 1, day) / 1000 + seconds
}
