import { Labels } from '@narthex/model/labels'
import { parseGoFloat } from '@narthex/model/number'
import { parseAnySelector } from '@narthex/promql/parse/parse'

/** A number, 'stale', or undefined for no sample. */
export type NotedValue = number | 'stale' | undefined

/** Values that one line may stand for. */
const valuesMax = 10_000_000

/** Labels of a metric as a selector of equalities; `` and `{}` have none. Throws with what is wrong. */
export function parseMetric(text: string): Labels {
  if (text.trim() === '') return Labels.empty
  const matchers = parseAnySelector(text)
  const other = matchers.find(({ type }) => type !== '=')
  if (other !== undefined) throw new Error(`cannot read metric ${JSON.stringify(text)}: want =, got ${other.type}`)
  return Labels.fromPairs(matchers.flatMap(({ name, value }) => [name, value]))
}

/** `1 2+3x4 _x2 stale`: the values of a series, one an interval. Throws with the item that cannot be read. */
export function parseSequence(text: string): NotedValue[] {
  const values: NotedValue[] = []
  for (const item of text.split(/\s+/)) if (item !== '') expandItem(item, values)
  return values
}

// No hexadecimal ones: 0x20 is a zero and twenty more.
const number = '[+-]?(?:inf|nan|(?:\\d+\\.?\\d*|\\.\\d+)(?:e[+-]?\\d+)?)'
const numberItem = new RegExp(`^(${number})(?:([+-])(${number.replace('[+-]?', '')}))?(?:x(\\d+))?$`, 'i')
const wordItem = /^(_|stale)(?:x(\d+))?$/

function expandItem(item: string, values: NotedValue[]): void {
  if (item.startsWith('{{')) throw new Error('native histograms in series of tests are not built yet')
  const word = wordItem.exec(item)
  if (word !== null) {
    if (word[1] === 'stale' && word[2] !== undefined) throw unreadable(item)
    repeat(values, Number(word[2] ?? 1), () => (word[1] === 'stale' ? 'stale' : undefined))
    return
  }
  const [, first, sign, step, times] = numberItem.exec(item) ?? []
  if (first === undefined) throw unreadable(item)
  if (step !== undefined && times === undefined) throw unreadable(item)
  const increment = step === undefined ? 0 : (sign === '-' ? -1 : 1) * parseGoFloat(step)!
  let value = parseGoFloat(first)!
  // `1+2x3` is the value and three more.
  repeat(values, Number(times ?? 0) + 1, () => {
    const given = value
    value += increment
    return given
  })
}

function repeat(values: NotedValue[], times: number, next: () => NotedValue): void {
  if (values.length + times > valuesMax) throw new Error(`want at most ${valuesMax} values in a series`)
  for (let i = 0; i < times; i++) values.push(next())
}

function unreadable(item: string): Error {
  return new Error(`cannot read value ${JSON.stringify(item)}: want a number, number±number×times as 1+2x3, _, _x3 or stale`)
}
