import { lowerCase, titleCase, upperCase } from '@narthex/model/case'
import { quoteText } from '@narthex/model/quote'
import { marshalJson } from './go-json.ts'
import { GoTime } from './go-time.ts'
import { parseLayout } from './go-time-parse.ts'
import { goType } from './go-type.ts'
import { humanizeDuration } from './humanize.ts'
import { searchFunctions } from './search-text.ts'
import { anyType, stringType } from './value.ts'
import type { FunctionMap, ParameterType } from './value.ts'

/** A Go `[]string`, by name for messages; elements are texts. */
export class StringSlice extends Array<string> {
  readonly [goType] = '[]string'
}

const textsType: ParameterType = {
  name: '[]string',
  accepts: (value) => Array.isArray(value) && value.every((element) => typeof element === 'string'),
}
const sliceType: ParameterType = { name: '[]interface {}', accepts: (value) => Array.isArray(value) }
const timeType: ParameterType = { name: 'time.Time', accepts: (value) => value instanceof GoTime }

/** The functions of Alertmanager's notification templates. */
export function createAlertmanagerFunctions(context: { readonly nowMs: number }): FunctionMap {
  const now = GoTime.fromMs(context.nowMs)
  return {
    ...fixedFunctions,
    now: { parameters: [], call: () => now },
    since: { parameters: [timeType], call: (time: GoTime) => now.Sub(time) },
  }
}

const fixedFunctions: FunctionMap = {
  ...searchFunctions,
  toUpper: { parameters: [stringType], call: upperCase },
  toLower: { parameters: [stringType], call: lowerCase },
  title: { parameters: [stringType], call: titleWords },
  trimSpace: { parameters: [stringType], call: (text: string) => text.trim() },
  join: { parameters: [stringType, textsType], call: (separator: string, texts: string[]) => texts.join(separator) },
  stringSlice: { parameters: [], variadic: stringType, call: (...texts: string[]) => toStringSlice(texts) },
  safeHtml: { parameters: [stringType], call: (text: string) => text },
  safeUrl: { parameters: [stringType], call: (text: string) => text },
  urlUnescape: { parameters: [stringType], call: unescapeQuery },
  date: { parameters: [stringType, timeType], call: (layout: string, time: GoTime) => time.Format(layout) },
  tz: { parameters: [stringType, timeType], call: (zone: string, time: GoTime) => time.inZone(zone) },
  toDate: { parameters: [stringType, stringType], call: toDate },
  mustToDate: { parameters: [stringType, stringType], call: parseLayout },
  humanizeDuration: { parameters: [anyType], call: humanizeDuration },
  toJson: { parameters: [anyType], call: (value: unknown) => marshalJson(value) },
  b64enc: { parameters: [stringType], call: (text: string) => Buffer.from(text).toString('base64') },
  b64dec: { parameters: [stringType], call: (text: string) => Buffer.from(text, 'base64').toString() },
  list: { parameters: [], variadic: anyType, call: (...values: unknown[]) => values },
  append: { parameters: [sliceType], variadic: anyType, call: appendTo },
  dict: { parameters: [], variadic: anyType, call: makeDictionary },
}

function toStringSlice(texts: readonly string[]): StringSlice {
  const slice = new StringSlice()
  for (const text of texts) slice.push(text)
  return slice
}

/** A time that cannot be read is the zero time; `mustToDate` fails instead. */
function toDate(layout: string, text: string): GoTime {
  try {
    return parseLayout(layout, text)
  } catch {
    return GoTime.zero
  }
}

function appendTo(slice: readonly unknown[], ...values: unknown[]): unknown[] {
  const all = [...slice, ...values]
  return all.every((value) => typeof value === 'string') ? toStringSlice(all) : all
}

function makeDictionary(...values: unknown[]): Map<string, unknown> {
  if (values.length % 2 !== 0) throw new Error('dict requires an even number of arguments')
  const dictionary = new Map<string, unknown>()
  for (let i = 0; i < values.length; i += 2) {
    const key = values[i]
    if (typeof key !== 'string') throw new Error('dict keys must be strings')
    dictionary.set(key, values[i + 1])
  }
  return dictionary
}

// Words as Unicode parts them: an apostrophe, point or colon between letters does not end one.
const words = /[\p{L}\p{M}\p{N}_]+(?:['’.:·][\p{L}\p{M}\p{N}_]+)*/gu

/** Each word with a capital and then small letters, as `cases.Title` of golang.org/x/text gives it. */
function titleWords(text: string): string {
  return text.replace(words, (word) => {
    const first = word.search(/\p{L}/u)
    if (first < 0) return word
    const letter = String.fromCodePoint(word.codePointAt(first)!)
    return word.slice(0, first) + titleCase(letter) + lowerCase(word.slice(first + letter.length))
  })
}

/** Go's `url.QueryUnescape`. */
function unescapeQuery(text: string): string {
  const bad = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(text)
  if (bad !== null) throw new Error(`invalid URL escape ${quoteText(bad[0])}`)
  const bytes = Buffer.from(text.replaceAll('+', ' ')).toString('latin1')
  return Buffer.from(
    bytes.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
    'latin1',
  ).toString()
}
