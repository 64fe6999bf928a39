import { isValidLegacyLabelName, isValidLegacyMetricName } from '@narthex/model/name'
import { parseGoFloat } from '@narthex/model/number'

export type FamilyType = 'counter' | 'gauge' | 'histogram' | 'summary' | 'untyped'

export interface FamilySample {
  /** `_bucket`, `_sum`, `_count` of histograms and summaries, else empty. */
  readonly suffix: string
  /** Flat name, value, …: sorted by name, `le` or `quantile` of a histogram or summary last. */
  readonly labels: readonly string[]
  readonly value: number
  readonly hasTimestamp: boolean
}

export interface MetricFamily {
  readonly name: string
  readonly type: FamilyType
  readonly help: string | undefined
  readonly samples: readonly FamilySample[]
}

/** Bytes that are not valid text format; the message names the line. */
export class FamilyParseError extends Error {
  override name = 'FamilyParseError'
}

interface OpenFamily extends MetricFamily {
  type: FamilyType
  hasType: boolean
  help: string | undefined
  readonly samples: FamilySample[]
}

const familyTypes: ReadonlySet<string> = new Set(['counter', 'gauge', 'histogram', 'summary', 'untyped'])
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Reads text format 0.0.4 as strictly as Go's expfmt does for pushed and dropped-in files: every line ends in a line feed, HELP and TYPE
 * come once and TYPE before the samples, names are legacy names. Families without samples are left out; order is that of the bytes.
 * For scrape bodies there is the lenient and much faster parser in @narthex/exposition.
 */
export function parseFamilies(bytes: Uint8Array): MetricFamily[] {
  return new FamilyParser(decode(bytes)).parse()
}

class FamilyParser {
  readonly #text: string
  readonly #families = new Map<string, OpenFamily>()
  #line = ''
  #lineNumber = 0
  #offset = 0

  constructor(text: string) {
    this.#text = text
  }

  parse(): MetricFamily[] {
    let start = 0
    while (start < this.#text.length) {
      const end = this.#text.indexOf('\n', start)
      this.#lineNumber++
      if (end < 0) throw this.#error('unexpected end of input stream')
      this.#line = this.#text.slice(start, end)
      this.#offset = 0
      this.#parseLine()
      start = end + 1
    }
    return [...this.#families.values()].filter((family) => family.samples.length > 0)
  }

  #parseLine(): void {
    this.#skipBlanks()
    if (this.#offset === this.#line.length) return
    if (this.#line[this.#offset] === '#') this.#parseComment()
    else this.#parseSample()
  }

  #parseComment(): void {
    this.#offset++
    const keyword = this.#readToken()
    if (keyword !== 'HELP' && keyword !== 'TYPE') return
    const name = this.#readToken()
    if (name === '') return
    if (!isValidLegacyMetricName(name)) throw this.#error(`invalid metric name ${JSON.stringify(name)} in comment`)
    const family = this.#openFamily(name)
    this.#skipBlanks()
    if (keyword === 'HELP') this.#setHelp(family)
    else this.#setType(family)
  }

  #setHelp(family: OpenFamily): void {
    if (family.help !== undefined) throw this.#error(`second HELP line for metric name ${JSON.stringify(family.name)}`)
    family.help = this.#line.slice(this.#offset).replace(/\\(.)/g, (escape, character: string) => {
      if (character === 'n') return '\n'
      if (character === '\\') return '\\'
      throw this.#error(`invalid escape sequence '${escape}'`)
    })
  }

  #setType(family: OpenFamily): void {
    if (family.hasType || family.samples.length > 0) {
      throw this.#error(`second TYPE line for metric name ${JSON.stringify(family.name)}, or TYPE reported after samples`)
    }
    const type = this.#line.slice(this.#offset).trim().toLowerCase()
    if (!familyTypes.has(type)) throw this.#error(`unknown metric type ${JSON.stringify(type)}`)
    family.type = type as FamilyType
    family.hasType = true
  }

  #parseSample(): void {
    const name = this.#readWhile(/[a-zA-Z0-9_:]/)
    if (!isValidLegacyMetricName(name)) throw this.#error('invalid metric name')
    const { family, suffix } = this.#familyOfSample(name)
    this.#skipBlanks()
    const labels = this.#line[this.#offset] === '{' ? this.#parseLabels(family, suffix) : []
    const valueText = this.#readToken()
    const value = /[pPxX_]/.test(valueText) ? undefined : parseGoFloat(valueText)
    if (value === undefined) throw this.#error(`expected float as value, got ${JSON.stringify(valueText)}`)
    const timestamp = this.#readToken()
    if (timestamp !== '' && !/^[+-]?[0-9]+$/.test(timestamp)) {
      throw this.#error(`expected integer as timestamp, got ${JSON.stringify(timestamp)}`)
    }
    const rest = this.#readToken()
    if (rest !== '') throw this.#error(`spurious string after timestamp: ${JSON.stringify(rest)}`)
    family.samples.push({ suffix, labels, value, hasTimestamp: timestamp !== '' })
  }

  #familyOfSample(name: string): { family: OpenFamily; suffix: string } {
    const exact = this.#families.get(name)
    if (exact !== undefined) return { family: exact, suffix: '' }
    for (const suffix of ['_sum', '_count', '_bucket']) {
      if (!name.endsWith(suffix)) continue
      const family = this.#families.get(name.slice(0, -suffix.length))
      if (family?.type === 'histogram' || (family?.type === 'summary' && suffix !== '_bucket')) return { family, suffix }
    }
    return { family: this.#openFamily(name), suffix: '' }
  }

  #parseLabels(family: OpenFamily, suffix: string): string[] {
    const pairs: (readonly [string, string])[] = []
    this.#offset++
    for (;;) {
      this.#skipBlanks()
      if (this.#line[this.#offset] === '}') break
      const name = this.#readWhile(/[a-zA-Z0-9_]/)
      if (!isValidLegacyLabelName(name)) throw this.#error('invalid label name')
      if (name === '__name__') throw this.#error('label name "__name__" is reserved')
      if (pairs.some(([known]) => known === name)) throw this.#error(`duplicate label names for metric ${JSON.stringify(family.name)}`)
      this.#skipBlanks()
      this.#expect('=')
      this.#skipBlanks()
      pairs.push([name, this.#parseLabelValue()])
      this.#skipBlanks()
      if (this.#line[this.#offset] === '}') break
      this.#expect(',')
    }
    this.#offset++
    const last = family.type === 'summary' && suffix === '' ? 'quantile' : family.type === 'histogram' && suffix === '_bucket' ? 'le' : ''
    for (const [name, value] of pairs) {
      if (name === last && parseGoFloat(value) === undefined)
        throw this.#error(`expected float as value for '${last}' label, got "${value}"`)
    }
    const rank = (name: string): string => (name === last ? '\uffff' : name)
    return pairs.sort(([a], [b]) => (rank(a) < rank(b) ? -1 : 1)).flat()
  }

  #parseLabelValue(): string {
    this.#expect('"')
    let value = ''
    for (;;) {
      const character = this.#line[this.#offset++]
      if (character === undefined) throw this.#error('label value contains unescaped new-line')
      if (character === '"') return value
      if (character !== '\\') {
        value += character
        continue
      }
      const escaped = this.#line[this.#offset++]
      if (escaped === '\\' || escaped === '"') value += escaped
      else if (escaped === 'n') value += '\n'
      else throw this.#error(`invalid escape sequence '\\${escaped ?? ''}'`)
    }
  }

  #openFamily(name: string): OpenFamily {
    const known = this.#families.get(name)
    if (known !== undefined) return known
    const family: OpenFamily = { name, type: 'untyped', hasType: false, help: undefined, samples: [] }
    this.#families.set(name, family)
    return family
  }

  #expect(character: string): void {
    if (this.#line[this.#offset] !== character) {
      throw this.#error(`expected '${character}', got ${JSON.stringify(this.#line[this.#offset] ?? 'end of line')}`)
    }
    this.#offset++
  }

  #readToken(): string {
    this.#skipBlanks()
    return this.#readWhile(/[^ \t]/)
  }

  #readWhile(pattern: RegExp): string {
    const start = this.#offset
    while (this.#offset < this.#line.length && pattern.test(this.#line[this.#offset]!)) this.#offset++
    return this.#line.slice(start, this.#offset)
  }

  #skipBlanks(): void {
    while (this.#line[this.#offset] === ' ' || this.#line[this.#offset] === '\t') this.#offset++
  }

  #error(reason: string): FamilyParseError {
    return new FamilyParseError(`text format parsing error in line ${this.#lineNumber}: ${reason}`)
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch (error) {
    throw new FamilyParseError('text format parsing error: want UTF-8, got other bytes', { cause: error })
  }
}
