import type { BucketSpan } from '@narthex/model/native-histogram'
import { BitText, floatBits, staleBits, XorText } from './bit-text.ts'

// Chunks of all encodings, written once more from the format's description and checked by nothing: only for tests.

export interface FloatSample {
  readonly time: bigint
  /** 0 = not known. */
  readonly start: bigint
  readonly bits: bigint
}

export interface HistogramSample {
  readonly time: bigint
  readonly start: bigint
  readonly count: number
  readonly zeroCount: number
  /** `staleBits`: nothing else counts. */
  readonly sum: bigint
  /** Absolute. */
  readonly positive: readonly number[]
  readonly negative: readonly number[]
}

export interface Layout {
  readonly schema: number
  readonly zeroThreshold: number
  readonly positiveSpans: readonly BucketSpan[]
  readonly negativeSpans: readonly BucketSpan[]
  readonly customValues: readonly number[]
}

export function writeXor(samples: readonly FloatSample[]): Uint8Array {
  const bits = new BitText().put(samples.length, 16)
  const value = new XorText(0n)
  samples.forEach(({ time, bits: word }, i) => {
    if (i === 0) {
      bits.varint(time).put(word, 64)
      value.value = word
      return
    }
    const delta = time - samples[i - 1]!.time
    if (i === 1) bits.uvarint(delta)
    else putTimeChange(bits, delta - (samples[i - 1]!.time - samples[i - 2]!.time))
    value.put(bits, word)
  })
  return bits.bytes()
}

export function writeXor2(samples: readonly FloatSample[]): Uint8Array {
  const bits = new BitText().put(samples.length, 16).put(startHeader(samples), 8)
  const value = new XorText(0n)
  samples.forEach(({ time, bits: word }, i) => {
    const isStale = word === staleBits
    if (i === 0) {
      bits.varint(time).put(word, 64)
      if (!isStale) value.value = word
    } else {
      const delta = time - samples[i - 1]!.time
      const putValue = (): void => {
        if (isStale) bits.raw('111')
        else value.put(bits, word, '0', '10', '110')
      }
      if (i === 1) {
        bits.uvarint(delta)
        putValue()
      } else {
        const change = delta - (samples[i - 1]!.time - samples[i - 2]!.time)
        if (change === 0n && isStale) bits.raw('11111')
        else if (change === 0n) value.put(bits, word, '0', '100', '101')
        else {
          if (change >= -4096n && change <= 4095n) bits.raw('110').put(change, 13)
          else if (change >= -524288n && change <= 524287n) bits.raw('1110').put(change, 20)
          else bits.raw('11110').put(change, 64)
          putValue()
        }
      }
    }
    putStart(bits, samples, i)
  })
  return bits.bytes()
}

/** An integer or float histogram chunk, with start times or without; `header` are the two bits about counter resets. */
export function writeHistograms(
  samples: readonly HistogramSample[],
  layout: Layout,
  kind: { isFloat: boolean; hasStartTimes: boolean; header: number },
): Uint8Array {
  const bits = new BitText()
  if (kind.hasStartTimes) bits.put(kind.header, 2).put(samples.length, 14).put(startHeader(samples), 8)
  else bits.put(samples.length, 16).put(kind.header, 2).put(0, 6)
  putLayout(bits, layout)
  const putSample = kind.isFloat ? floatWriter(bits) : integerWriter(bits)
  samples.forEach((sample, i) => {
    putSample(sample, i)
    if (kind.hasStartTimes) putStart(bits, samples, i)
  })
  return bits.bytes()
}

function putLayout(bits: BitText, layout: Layout): void {
  const exponent = Math.log2(layout.zeroThreshold)
  if (layout.zeroThreshold === 0) bits.put(0, 8)
  else if (Number.isInteger(exponent) && 2 ** exponent === layout.zeroThreshold && exponent >= -243 && exponent <= 10)
    bits.put(exponent + 244, 8)
  else bits.put(255, 8).put(floatBits(layout.zeroThreshold), 64)
  bits.varbitInt(BigInt(layout.schema))
  for (const spans of [layout.positiveSpans, layout.negativeSpans]) {
    bits.varbitUint(BigInt(spans.length))
    for (const { length, offset } of spans) bits.varbitUint(BigInt(length)).varbitInt(BigInt(offset))
  }
  if (layout.schema !== -53) return
  bits.varbitUint(BigInt(layout.customValues.length))
  for (const bound of layout.customValues) {
    const thousandths = Math.round(bound * 1000)
    if (thousandths >= 0 && thousandths <= 33_554_430 && thousandths / 1000 === bound) bits.varbitUint(BigInt(thousandths + 1))
    else bits.raw('0').put(floatBits(bound), 64)
  }
}

function integerWriter(bits: BitText): (sample: HistogramSample, i: number) => void {
  let times: bigint[] = []
  let last: bigint[] = []
  let lastChanges: bigint[] = []
  const sum = new XorText(0n)
  return (sample, i) => {
    const isStale = sample.sum === staleBits
    const values = [sample.count, sample.zeroCount, ...differences(sample.positive), ...differences(sample.negative)].map(BigInt)
    if (i === 0) {
      bits.varbitInt(sample.time).varbitUint(values[0]!).varbitUint(values[1]!).put(sample.sum, 64)
      sum.value = sample.sum
      if (!isStale) for (const value of values.slice(2)) bits.varbitInt(value)
      lastChanges = values.map(() => 0n)
    } else {
      const delta = sample.time - times.at(-1)!
      if (i === 1) bits.varbitUint(delta)
      else bits.varbitInt(delta - (times.at(-1)! - times.at(-2)!))
      const changes = values.map((value, k) => value - last[k]!)
      const put = (k: number): unknown => bits.varbitInt(isStale ? 0n : changes[k]! - lastChanges[k]!)
      put(0)
      put(1)
      sum.put(bits, sample.sum)
      if (!isStale) for (let k = 2; k < values.length; k++) put(k)
      lastChanges = changes
    }
    times = [...times, sample.time]
    last = values
  }
}

function floatWriter(bits: BitText): (sample: HistogramSample, i: number) => void {
  let time = 0n
  let delta = 0n
  let fields: XorText[] = []
  return (sample, i) => {
    const isStale = sample.sum === staleBits
    const values = [floatBits(sample.count), floatBits(sample.zeroCount), sample.sum]
    if (!isStale) values.push(...[...sample.positive, ...sample.negative].map(floatBits))
    if (i === 0) {
      bits.varbitInt(sample.time)
      for (const value of values) bits.put(value, 64)
      fields = values.map((value) => new XorText(value))
    } else {
      bits.varbitInt(sample.time - time - delta)
      delta = sample.time - time
      values.forEach((value, k) => fields[k]!.put(bits, value))
    }
    time = sample.time
  }
}

function differences(counts: readonly number[]): number[] {
  return counts.map((count, i) => count - (counts[i - 1] ?? 0))
}

function putTimeChange(bits: BitText, change: bigint): void {
  if (change === 0n) bits.raw('0')
  else if (change > -8192n && change <= 8192n) bits.raw('10').put(change, 14)
  else if (change > -65536n && change <= 65536n) bits.raw('110').put(change, 17)
  else if (change > -524288n && change <= 524288n) bits.raw('1110').put(change, 20)
  else bits.raw('1111').put(change, 64)
}

interface Started {
  readonly time: bigint
  readonly start: bigint
}

/** Index of the first sample after sample 0 that carries a start time; 0 = none. */
function changeIndex(samples: readonly Started[]): number {
  const index = samples.findIndex(({ start }, i) => i > 0 && (i === 127 || start !== samples[i - 1]!.start))
  return Math.max(0, index)
}

function startHeader(samples: readonly Started[]): number {
  return (samples[0]?.start ? 0x80 : 0) | changeIndex(samples)
}

function putStart(bits: BitText, samples: readonly Started[], i: number): void {
  const { time, start } = samples[i]!
  if (i === 0) {
    if (start !== 0n) bits.varint(time - start)
    return
  }
  const first = changeIndex(samples)
  if (first === 0 || i < first) return
  const distance = samples[i - 1]!.time - start
  if (i === first) bits.varbitInt(distance)
  else bits.varbitInt(distance - (samples[i - 2]!.time - samples[i - 1]!.start))
}
