import type { CommandTable } from './command-table.ts'
import type { RespValue } from './resp-reader.ts'
import { integerOf, itemsOf, textOf } from './resp-value.ts'
import { writeSorted, type Row, type TargetWriter } from './target-writer.ts'

/** Writes the answer of LATENCY LATEST: per event its name, the time of the last spike, its milliseconds and the longest ever. */
export function writeLatencySpikes(writer: TargetWriter, reply: RespValue): void {
  const last: Row[] = []
  const durations: Row[] = []
  for (const item of itemsOf(reply)) {
    const [name, time, milliseconds] = itemsOf(item)
    const labels = ['event_name', textOf(name) ?? '']
    const seconds = integerOf(time)
    const duration = integerOf(milliseconds)
    if (seconds === undefined || duration === undefined) continue
    last.push({ labels, value: seconds })
    durations.push({ labels, value: duration / 1000 })
  }
  writeSorted(writer, 'latency_spike_duration_seconds', 'Length of the last latency spike by event.', 'gauge', durations)
  writeSorted(writer, 'latency_spike_last', 'Unix time of the last latency spike by event.', 'gauge', last)
}

/**
 * Writes the answer of LATENCY HISTOGRAM: per command `calls` and `histogram_usec`, pairs of an upper bound and the calls up to it. The sums
 * are those of Commandstats.
 */
export function writeLatencyHistograms(writer: TargetWriter, reply: RespValue, commands: CommandTable): void {
  const items = itemsOf(reply)
  writer.family('commands_latencies_usec', 'Microseconds per call by command.', 'histogram')
  for (const at of orderByName(items)) {
    const command = textOf(items[at])!
    const details = itemsOf(items[at + 1])
    const calls = integerOf(findField(details, 'calls'))
    if (calls === undefined) continue
    const buckets = itemsOf(findField(details, 'histogram_usec'))
    for (let i = 0; i + 1 < buckets.length; i += 2) {
      const bound = integerOf(buckets[i])
      const count = integerOf(buckets[i + 1])
      if (bound !== undefined && count !== undefined) writer.sample(count, ['cmd', command, 'le', textOfBound(bound)], '_bucket')
    }
    const row = commands.rowOf(command)
    const labels = row === undefined ? ['cmd', command] : commands.labelsOf(row)
    writer.sample(calls, ['cmd', command, 'le', '+Inf'], '_bucket')
    writer.sample(row === undefined ? 0 : commands.microseconds(row), labels, '_sum')
    writer.sample(calls, labels, '_count')
  }
}

/** Where the names of an array `name, value, name, value, …` stand, sorted by name. */
function orderByName(items: readonly RespValue[]): readonly number[] {
  const places: number[] = []
  for (let at = 0; at + 1 < items.length; at += 2) if (textOf(items[at]) !== undefined) places.push(at)
  return places.sort((a, b) => (textOf(items[a])! < textOf(items[b])! ? -1 : 1))
}

function findField(items: readonly RespValue[], name: string): RespValue | undefined {
  for (let at = 0; at + 1 < items.length; at += 2) if (textOf(items[at]) === name) return items[at + 1]
  return undefined
}

/** Upper bounds that were printed before: a server has a few dozen. */
const boundTexts = new Map<number, string>()
const boundTextsMax = 1_000

function textOfBound(bound: number): string {
  const known = boundTexts.get(bound)
  if (known !== undefined) return known
  const text = String(bound)
  if (boundTexts.size < boundTextsMax) boundTexts.set(bound, text)
  return text
}
