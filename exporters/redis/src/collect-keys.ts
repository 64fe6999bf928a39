import { parseGoFloat } from '@narthex/model/number'
import type { KeyArgument } from './key-arguments.ts'
import { countEverywhere, isRefusal, locateKeys, type KeyBatch, type KeyPlaces } from './key-places.ts'
import type { RespValue } from './resp-reader.ts'
import { errorOf, integerOf, textOf } from './resp-value.ts'
import { writeSorted, type Row, type TargetWriter } from './target-writer.ts'

/** Longest value of a key that becomes a label, in UTF-16 units; longer ones are cut and end in `…`. */
export const valueLengthMax = 4_096
/** A text of more bytes is not fetched for its value. */
const valueBytesMax = 64 * 1024

const lengthCommands: ReadonlyMap<string, string> = new Map([
  ['list', 'LLEN'],
  ['set', 'SCARD'],
  ['zset', 'ZCARD'],
  ['hash', 'HLEN'],
  ['stream', 'XLEN'],
])

export interface KeyOptions {
  readonly checkKeys: readonly KeyArgument[]
  readonly checkSingleKeys: readonly KeyArgument[]
  readonly excludesKeyValues: boolean
  /** Value of a label `instance_role`, if it is wanted. */
  readonly role: string | undefined
}

interface KeyRows {
  readonly sizes: Row[]
  readonly memory: Row[]
  readonly values: Row[]
  readonly texts: Row[]
}

/** Size, memory and value of the keys that are asked for. A key that does not exist has the size 0. */
export async function collectKeys(places: KeyPlaces, writer: TargetWriter, options: KeyOptions): Promise<void> {
  const rows: KeyRows = { sizes: [], memory: [], values: [], texts: [] }
  for await (const batch of locateKeys(places, options.checkKeys, options.checkSingleKeys)) await readBatch(batch, rows, options)
  writeSorted(writer, 'key_memory_usage_bytes', 'Memory of a key.', 'gauge', rows.memory)
  writeSorted(writer, 'key_size', 'Length or number of elements of a key.', 'gauge', rows.sizes)
  writeSorted(writer, 'key_value', 'Value of a key that is a number.', 'gauge', rows.values)
  writeSorted(writer, 'key_value_as_string', 'Value of a key that is no number, as label.', 'gauge', rows.texts)
}

/** How many keys match each pattern. */
export async function collectKeyCounts(
  places: KeyPlaces,
  writer: TargetWriter,
  patterns: readonly KeyArgument[],
  role: string | undefined,
): Promise<void> {
  const rows: Row[] = []
  for (const argument of patterns) {
    try {
      rows.push({ labels: labelsOf(argument.database, argument.pattern, role), value: await countEverywhere(places, argument) })
    } catch (error) {
      if (!isRefusal(error)) throw error
      places.warn(error.message)
    }
  }
  writeSorted(writer, 'keys_count', 'Keys that match a pattern.', 'gauge', rows)
}

async function readBatch({ client, database, keys }: KeyBatch, rows: KeyRows, options: KeyOptions): Promise<void> {
  const types = (await client.callAll(keys.map((key) => ['TYPE', key]))).map((reply) => textOf(reply) ?? '')
  // A HyperLogLog is a text to TYPE; PFCOUNT refuses every other text.
  const lengths = await client.callAll(keys.map((key, index) => [lengthCommands.get(types[index]!) ?? 'PFCOUNT', key]))
  const memory = await client.callAll(keys.map((key) => ['MEMORY', 'USAGE', key]))
  const plainTexts = [...keys.keys()].filter((index) => types[index] === 'string' && errorOf(lengths[index]) !== undefined)
  const textLengths = await client.callAll(plainTexts.map((index) => ['STRLEN', keys[index]!]))
  const fetched = options.excludesKeyValues
    ? []
    : plainTexts.filter((_, position) => (integerOf(textLengths[position]) ?? 0) <= valueBytesMax)
  const values = await client.callAll(fetched.map((index) => ['GET', keys[index]!]))
  const sizes = new Map<number, RespValue>(lengths.entries())
  for (const [position, index] of plainTexts.entries()) sizes.set(index, textLengths[position]!)
  for (const [index, key] of keys.entries()) {
    const size = types[index] === 'none' ? 0 : integerOf(sizes.get(index))
    const bytes = integerOf(memory[index])
    const labels = labelsOf(database, key.toString('utf8'), options.role)
    if (size !== undefined) rows.sizes.push({ labels, value: size })
    if (bytes !== undefined) rows.memory.push({ labels, value: bytes })
  }
  for (const [position, index] of fetched.entries()) {
    const text = textOf(values[position])
    if (text === undefined) continue
    const labels = labelsOf(database, keys[index]!.toString('utf8'), options.role)
    const number = parseGoFloat(text)
    if (number !== undefined) rows.values.push({ labels, value: number })
    else rows.texts.push({ labels: [...labels, 'val', cut(text)], value: 1 })
  }
}

function labelsOf(database: number, key: string, role: string | undefined): readonly string[] {
  return role === undefined ? ['db', `db${database}`, 'key', key] : ['db', `db${database}`, 'instance_role', role, 'key', key]
}

function cut(text: string): string {
  return text.length <= valueLengthMax ? text : `${text.slice(0, valueLengthMax - 1)}…`
}
