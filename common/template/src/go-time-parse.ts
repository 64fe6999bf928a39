import { quoteText } from '@narthex/model/quote'
import { GoTime } from './go-time.ts'
import { dayNames, layoutParts, monthNames } from './go-time-layout.ts'

interface Fields {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
  nanosecond: bigint
  isAfternoon: boolean | undefined
  offsetSeconds: number
}

/** Go's `time.Parse`: reads a text by a layout; times without a zone are UTC. Throws with a text like Go's. */
export function parseLayout(layout: string, text: string): GoTime {
  const fields: Fields = {
    year: 0,
    month: 1,
    day: 1,
    hour: 0,
    minute: 0,
    second: 0,
    nanosecond: 0n,
    isAfternoon: undefined,
    offsetSeconds: 0,
  }
  const fail = (what: string, rest: string): never => {
    throw new Error(`parsing time ${quoteText(text)} as ${quoteText(layout)}: cannot parse ${quoteText(rest)} as ${quoteText(what)}`)
  }
  let at = 0
  let layoutAt = 0
  for (const part of layout.matchAll(layoutParts)) {
    const literal = layout.slice(layoutAt, part.index)
    at = skipLiteral(literal, text, at, fail)
    layoutAt = part.index + part[0].length
    const read = readPart(part[0], text.slice(at), fields)
    if (read < 0) fail(part[0], text.slice(at))
    at += read
    if (/^0?5$/.test(part[0])) at += readExtraFraction(layout.slice(layoutAt), text.slice(at), fields)
  }
  const rest = layout.slice(layoutAt)
  at = skipLiteral(rest, text, at, fail)
  if (at < text.length) throw new Error(`parsing time ${quoteText(text)}: extra text: ${quoteText(text.slice(at))}`)
  return assemble(fields, text)
}

/** The end of what the layout says literally; a space in it stands for any number of spaces, or for none at the end. */
function skipLiteral(literal: string, text: string, start: number, fail: (what: string, rest: string) => never): number {
  let at = start
  for (let i = 0; i < literal.length;) {
    if (literal[i] === ' ') {
      if (at < text.length && text[at] !== ' ') fail(literal, text.slice(at))
      while (literal[i] === ' ') i++
      while (text[at] === ' ') at++
      continue
    }
    if (text[at] !== literal[i]) fail(literal, text.slice(at))
    at++
    i++
  }
  return at
}

function assemble(fields: Fields, text: string): GoTime {
  const { year, month, day, minute, second, nanosecond, offsetSeconds } = fields
  const hour = fields.isAfternoon === undefined ? fields.hour : (fields.hour % 12) + (fields.isAfternoon ? 12 : 0)
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  const isRealDay = date.getUTCMonth() === month - 1 && date.getUTCDate() === day
  const wrong = !isRealDay ? 'day' : hour > 23 ? 'hour' : minute > 59 ? 'minute' : second > 59 ? 'second' : undefined
  if (wrong !== undefined) throw new Error(`parsing time ${quoteText(text)}: ${wrong} out of range`)
  date.setUTCHours(hour, minute, second)
  return new GoTime(BigInt(date.getTime() - offsetSeconds * 1000) * 1_000_000n + nanosecond)
}

/** Takes one part from the front of `rest` and gives its length; -1 if it is not there. */
function readPart(part: string, rest: string, fields: Fields): number {
  switch (part) {
    case 'January':
    case 'Jan':
      return readName(part === 'Jan' ? monthNames.map((name) => name.slice(0, 3)) : monthNames, rest, (i) => (fields.month = i + 1))
    case 'Monday':
    case 'Mon':
      return readName(part === 'Mon' ? dayNames.map((name) => name.slice(0, 3)) : dayNames, rest, () => undefined)
    case '2006':
      return readDigits(/^[0-9]{4}/, rest, (value) => (fields.year = value))
    case '06':
      return readDigits(/^[0-9]{2}/, rest, (value) => (fields.year = value >= 69 ? 1900 + value : 2000 + value))
    case '01':
      return readDigits(/^[0-9]{2}/, rest, (value) => (fields.month = value))
    case '1':
      return readDigits(/^[0-9]{1,2}/, rest, (value) => (fields.month = value))
    case '02':
      return readDigits(/^[0-9]{2}/, rest, (value) => (fields.day = value))
    case '2':
    case '_2':
      return readDigits(/^ ?[0-9]{1,2}/, rest, (value) => (fields.day = value))
    case '03':
      return readDigits(/^[0-9]{2}/, rest, (value) => (fields.hour = value))
    case '15':
    case '3':
      return readDigits(/^[0-9]{1,2}/, rest, (value) => (fields.hour = value))
    case '04':
      return readDigits(/^[0-9]{2}/, rest, (value) => (fields.minute = value))
    case '4':
      return readDigits(/^[0-9]{1,2}/, rest, (value) => (fields.minute = value))
    case '05':
      return readDigits(/^[0-9]{2}/, rest, (value) => (fields.second = value))
    case '5':
      return readDigits(/^[0-9]{1,2}/, rest, (value) => (fields.second = value))
    case 'PM':
    case 'pm':
      return readName(part === 'PM' ? ['AM', 'PM'] : ['am', 'pm'], rest, (i) => (fields.isAfternoon = i === 1))
    case 'MST':
      return /^[A-Z]{3,5}/.exec(rest)?.[0].length ?? -1
  }
  if (part.startsWith('Z') || part.startsWith('-')) return readOffset(part, rest, fields)
  if (part.startsWith('.') || part.startsWith(',')) return readFraction(part, rest, fields)
  return -1
}

function readDigits(pattern: RegExp, rest: string, set: (value: number) => void): number {
  const match = pattern.exec(rest)
  if (match === null) return -1
  set(Number(match[0]))
  return match[0].length
}

function readName(names: readonly string[], rest: string, set: (index: number) => void): number {
  const index = names.findIndex((name) => rest.slice(0, name.length).toLowerCase() === name.toLowerCase())
  if (index < 0) return -1
  set(index)
  return names[index]!.length
}

function readOffset(part: string, rest: string, fields: Fields): number {
  if (part.startsWith('Z') && rest.startsWith('Z')) return 1
  const colon = part.includes(':') ? ':' : ''
  const pairs = part.replace(/[^0-9]/g, '').length / 2
  const match = new RegExp(`^([+-])([0-9]{2})${pairs > 1 ? `${colon}([0-9]{2})` : ''}${pairs > 2 ? `${colon}([0-9]{2})` : ''}`).exec(rest)
  if (match === null) return -1
  const [whole, sign, hours, minutes = '0', seconds = '0'] = match
  const size = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)
  fields.offsetSeconds = sign === '-' ? -size : size
  return whole.length
}

function readFraction(part: string, rest: string, fields: Fields): number {
  // `.999` may be absent; `.000` has exactly as many digits.
  const match = (part[1] === '9' ? /^[.,][0-9]+/ : new RegExp(`^[.,][0-9]{${part.length - 1}}`)).exec(rest)
  if (match === null) return part[1] === '9' ? 0 : -1
  fields.nanosecond = BigInt(match[0].slice(1, 10).padEnd(9, '0'))
  return match[0].length
}

/** Behind seconds a fraction is taken even if the layout has none. */
function readExtraFraction(layoutRest: string, rest: string, fields: Fields): number {
  if (/^[.,][09]/.test(layoutRest) || !/^[.,][0-9]/.test(rest)) return 0
  return readFraction('.9', rest, fields)
}
