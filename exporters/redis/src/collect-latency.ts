import type { RespValue } from './resp-reader.ts'
import { fieldsOf, integerOf, itemsOf, textOf } from './resp-value.ts'
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
export function writeLatencyHistograms(writer: TargetWriter, reply: RespValue, commandMicroseconds: ReadonlyMap<string, number>): void {
  const commands = fieldsOf(reply)
  writer.family('commands_latencies_usec', 'Microseconds per call by command.', 'histogram')
  for (const command of [...commands.keys()].sort()) {
    const details = fieldsOf(commands.get(command))
    const calls = integerOf(details.get('calls'))
    if (calls === undefined) continue
    const buckets = itemsOf(details.get('histogram_usec'))
    for (let i = 0; i + 1 < buckets.length; i += 2) {
      const bound = integerOf(buckets[i])
      const count = integerOf(buckets[i + 1])
      if (bound !== undefined && count !== undefined) writer.sample(count, ['cmd', command, 'le', String(bound)], '_bucket')
    }
    writer.sample(calls, ['cmd', command, 'le', '+Inf'], '_bucket')
    writer.sample(commandMicroseconds.get(command) ?? 0, ['cmd', command], '_sum')
    writer.sample(calls, ['cmd', command], '_count')
  }
}
