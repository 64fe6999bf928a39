import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ExpositionError } from './exposition-error.ts'
import { OpenMetricsParser } from './openmetrics-parser.ts'
import { entryEnd, entryHelp, entrySample, entryType, entryUnit } from './parser.ts'
import type { ExpositionParser } from './parser.ts'
import { TextParser } from './text-parser.ts'

// The slow, readable version: one regular expression per kind of entry, over the body as latin1.
const string = '"(?:\\\\[^\\n]|[^\\\\"])*"'
const metric = '[a-zA-Z_:][a-zA-Z0-9_:]*(?![a-zA-Z0-9_:])'
const label = `(?:[a-zA-Z_][a-zA-Z0-9_]*(?![a-zA-Z0-9_])|${string})`
const blanks = '[ \\t]*'
const pair = `${label}${blanks}=${blanks}${string}${blanks},?${blanks}`
const quotedName = `${string}${blanks}(?:,${blanks}|(?=\\}))`
const braces = `\\{${blanks}(?:${pair}|${quotedName})*\\}`
const value = '[^{ \\t\\n\\0]+(?=[ \\t\\n]|$)'
const sampleEntry = new RegExp(`(${metric})?${blanks}(${braces})?${blanks}(${value})(?:${blanks}([0-9]+))?${blanks}(?:\\n|$)`, 'y')
const metaEntry = new RegExp(`#[ \\t]+(HELP|TYPE)[ \\t]+(${string}|${metric})([^\\n]*)(?:\\n|$)`, 'y')
const metaStart = /#[ \t]+(?:HELP|TYPE)[ \t]/y
const commentEntry = /#[^\n]*(?:\n|$)/y
const number = /^(?:[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|[+-]?inf(?:inity)?|nan)$/i

function matchAt(regex: RegExp, text: string, at: number): RegExpExecArray | null {
  regex.lastIndex = at
  return regex.exec(text)
}

/** The entries as texts, or 'error'. */
function readSlowly(body: Uint8Array): string[] | 'error' {
  const text = Buffer.from(body).toString('latin1')
  const out: string[] = []
  let at = 0
  for (;;) {
    while (at < text.length && /[ \t\n]/.test(text[at]!)) at++
    if (at >= text.length || text[at] === '\0') return out
    if (text[at] === '#') {
      const meta = matchAt(metaEntry, text, at)
      if (meta === null && matchAt(metaStart, text, at) !== null) return 'error'
      if (meta !== null) {
        const rest = /^[ \t]*$/.test(meta[3]!) ? '' : meta[3]!.slice(1)
        if (meta[1] === 'TYPE' && !['counter', 'gauge', 'histogram', 'summary', 'untyped'].includes(rest)) return 'error'
        if (!isUtf8(Buffer.from(rest, 'latin1'))) return 'error'
        out.push(`${meta[1]} ${rest}`)
      }
      at += (meta ?? matchAt(commentEntry, text, at)!)[0].length
      continue
    }
    const sample = matchAt(sampleEntry, text, at)
    if (sample === null || !isSample(sample)) return 'error'
    out.push(`sample ${parseNumber(sample[3]!)} ${sample[4] === undefined ? '' : Number(sample[4])}`)
    at += sample[0].length
  }
}

function isSample([, name, labels, text, time]: RegExpExecArray): boolean {
  const pairs = labels === undefined ? [] : [...labels.matchAll(new RegExp(`(?:${label}${blanks}=${blanks}(${string}))|(${string})`, 'g'))]
  const names = (name === undefined ? 0 : 1) + pairs.filter((match) => match[2] !== undefined).length
  if (names !== 1 || !pairs.every((match) => match[1] === undefined || isUtf8(Buffer.from(match[1], 'latin1')))) return false
  if (time !== undefined && BigInt(time) >= 2n ** 63n) return false
  return number.test(text!) && (Number.isFinite(parseNumber(text!)) || /[in]/i.test(text!))
}

function parseNumber(text: string): number {
  if (/nan/i.test(text)) return NaN
  return /inf/i.test(text) ? (text.startsWith('-') ? -Infinity : Infinity) : Number(text)
}

function readFast(parser: ExpositionParser, body: Uint8Array): string[] | 'error' {
  const padded = new Uint8Array(body.length + 3).fill(0x22)
  padded.set(body)
  parser.begin(padded, 0, body.length)
  const out: string[] = []
  try {
    for (;;) {
      const before = parser.offset
      const kind = parser.next()
      if (kind === entryEnd) return out
      if (parser.offset <= before || parser.offset > body.length) throw new Error(`want progress from ${before}, got ${parser.offset}`)
      if (kind === entryHelp) out.push('HELP')
      if (kind === entryType) out.push('TYPE')
      if (kind === entryUnit) out.push('UNIT')
      if (kind === entrySample) out.push(`sample ${parser.value} ${parser.hasTimestamp ? parser.timestampMs : ''}`)
    }
  } catch (error) {
    if (error instanceof ExpositionError) return 'error'
    throw error
  }
}

const withoutTexts = (entries: string[] | 'error') =>
  entries === 'error' ? entries : entries.map((entry) => entry.replace(/^(HELP|TYPE).*/s, '$1'))

const pieces = [
  'a',
  'b1',
  '_x',
  ':',
  '{',
  '}',
  '"',
  '"v"',
  '"my.m"',
  '=',
  ',',
  ' ',
  '\t',
  '\n',
  '\n',
  '# ',
  '#',
  'HELP ',
  'TYPE ',
  'counter',
  '1',
  '-2.5',
  '1e3',
  '.5',
]
const oddPieces = [
  'NaN',
  '+Inf',
  '0x1',
  '1_0',
  '\\',
  '\\n',
  '\\"',
  '\0',
  '\r',
  'ü',
  '\xff',
  '123456789012345678',
  '0.30000000000000004',
  '1e400',
  '# EOF',
  '99999999999999999999',
]
const lines = [
  'a 1\n',
  'a{b="c"} 2 3\n',
  '{"a",b="c"} 4\n',
  '# TYPE a counter\n',
  '# HELP a b c\n',
  'a{b="c",d="e",} 1e-5\n',
  '# UNIT a_s s\n',
  'a 1 # {b="c"} 2 3\n',
]

const piece = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...pieces) }, { weight: 1, arbitrary: fc.constantFrom(...oddPieces) })
const soup = fc.array(fc.oneof({ weight: 3, arbitrary: piece }, { weight: 2, arbitrary: fc.constantFrom(...lines) }), { maxLength: 16 })
const bodies = soup.map((list) => Buffer.concat(list.map((text) => Buffer.from(text, text === '\xff' ? 'latin1' : 'utf8'))))

test('the text parser takes and refuses what the slow version does, with the same values', () => {
  fc.assert(
    fc.property(bodies, (body) => {
      expect(readFast(new TextParser(), body)).toEqual(withoutTexts(readSlowly(body)))
    }),
    { numRuns: 20_000 },
  )
})

test('one changed byte in a body is read as the slow version reads it', () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...lines.slice(0, 6)), { minLength: 1, maxLength: 4 }),
      fc.nat(200),
      fc.nat(255),
      (list, at, byte) => {
        const body = Buffer.from(list.join(''))
        body[at % body.length] = byte
        expect(readFast(new TextParser(), body)).toEqual(withoutTexts(readSlowly(body)))
      },
    ),
    { numRuns: 10_000 },
  )
})

test('the OpenMetrics parser never throws but ExpositionError and always advances', () => {
  fc.assert(
    fc.property(bodies, fc.boolean(), (body, ended) => {
      readFast(new OpenMetricsParser(), ended ? Buffer.concat([body, Buffer.from('# EOF\n')]) : body)
    }),
    { numRuns: 10_000 },
  )
})

test('what OpenMetrics allows and text allows has the same values in both', () => {
  const plain = fc.array(fc.constantFrom('a 1\n', 'a{b="c"} 2\n', '{"a",b="c"} 4\n', '# TYPE a counter\n', 'x{a="\\"\\n"} NaN\n'), {
    maxLength: 6,
  })
  fc.assert(
    fc.property(plain, (list) => {
      const body = Buffer.from(list.join(''))
      expect(readFast(new OpenMetricsParser(), Buffer.concat([body, Buffer.from('# EOF\n')]))).toEqual(readFast(new TextParser(), body))
    }),
  )
})
