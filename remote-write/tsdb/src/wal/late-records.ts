import type { LateBatch, LatePending } from '../head/late-pending.ts'
import { payloadStart } from '../head/late-payloads.ts'
import { histogramTypeOfMark, histogramTypes, recordBytes } from './histogram-records.ts'
import type { LogReferences } from './log-references.ts'
import type { RecordBuilder } from './record-builder.ts'
import { samplesRecord } from './wal-format.ts'

/** As in the log of samples in order. */
const samplesPerRecord = 8192

/** The records of late samples, which are the same in both logs. Each is valid until the next is asked for. */
export function* buildLateRecords(
  { floats, histograms, payloads }: LateBatch,
  references: LogReferences,
  builder: RecordBuilder,
): Generator<Uint8Array> {
  yield* buildFloats(floats, references, builder)
  if (histograms.length === 0) return
  for (const type of histogramTypes) yield* buildHistograms(type, histograms, payloads, references, builder)
}

function* buildFloats(
  { refs, times, words, length }: LatePending,
  references: LogReferences,
  builder: RecordBuilder,
): Generator<Uint8Array> {
  for (let from = 0; from < length; from += samplesPerRecord) {
    builder.begin(samplesRecord)
    for (let i = from; i < Math.min(length, from + samplesPerRecord); i++) {
      builder.addSample(references.of(refs[i]!), times[i]!, words[2 * i]!, words[2 * i + 1]!)
    }
    yield builder.view()
  }
}

function* buildHistograms(
  type: number,
  { refs, times, words, length }: LatePending,
  payloads: LateBatch['payloads'],
  references: LogReferences,
  builder: RecordBuilder,
): Generator<Uint8Array> {
  builder.begin(type)
  for (let i = 0; i < length; i++) {
    const place = words[2 * i]!
    if (histogramTypeOfMark(payloads.markOf(place)) !== type) continue
    const bytes = payloads.bytesOf(place)
    builder.addPayload(references.of(refs[i]!), times[i]!, 0, 0, 0, bytes, payloadStart(place), payloads.endOf(place))
    if (builder.length < recordBytes) continue
    yield builder.view()
    builder.begin(type)
  }
  if (builder.count > 0) yield builder.view()
}
