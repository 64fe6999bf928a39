import { ByteWriter } from '@narthex/bytes/byte-writer'
import { RunPattern, spotFields } from './run-pattern.ts'
import { putUvarint, uvarintBytes } from './sample-field.ts'
import type { TimeWords } from './sample-field.ts'
import { copyDistanceMax, putCopy, putLiteralHead } from './snappy-elements.ts'
import { compress } from './snappy.ts'

/** So many shapes are remembered in a request. */
const patternsMax = 16
/** What one series can take: no more than twice its bytes, which are below 130. */
const seriesRoom = 512
const outBytesKept = 1024 * 1024
/** Values that were written out are found again by this many bits of a hash. */
const valueBits = 11
/** Fields of one such value: its bits, low and high, and where its sample began, -1 = nowhere. */
const valueFields = 3
/** Their upper two bytes, by the low ones of the exponent and all there are of the fraction. */
const topMask = 0x3ff
/** The two bytes, and where the sample of the last value with them began. */
const topFields = 2

/**
 * The compressed series of a request. Targets of one job have the same series but for a label or two: of all but the first one the bytes are never
 * written and searched for what repeats, as it is known where they stood before. That takes a quarter of the time, and no memory for them.
 */
export class SimilarRuns {
  readonly #out = new ByteWriter(16 * 1024)
  readonly #patterns: RunPattern[] = []
  #patternCount = 0
  #oldest = 0
  readonly #values = new Int32Array(valueFields << valueBits).fill(-1)
  readonly #tops = new Int32Array(topFields * (topMask + 1)).fill(-1)
  /** Bytes of the time behind the values that are known; 0 = none is. */
  #valueTimeBytes = 0
  /** Uncompressed bytes of what `elements` gives. */
  length = 0

  /** Snappy elements. Valid until the next call. */
  get elements(): Uint8Array {
    return this.#out.view()
  }

  reset(): void {
    this.#patternCount = 0
    this.#oldest = 0
    this.#forgetValues()
    if (this.#out.bytes.length > outBytesKept) this.#out.bytes = new Uint8Array(16 * 1024)
    this.#out.reset()
    this.length = 0
  }

  #forgetValues(): void {
    if (this.#valueTimeBytes === 0) return
    this.#values.fill(-1)
    this.#tops.fill(-1)
    this.#valueTimeBytes = 0
  }

  /** Whether `add` of a run that begins at `place` may do: it is not too far behind, and only few references differ. */
  fits(pattern: RunPattern, from: number, to: number, map: Uint32Array, time: TimeWords, place: number): boolean {
    return time.bytes === pattern.timeBytes && place - pattern.places[from]! <= copyDistanceMax && pattern.plan(map, from, to)
  }

  /** Appends bytes as they are, compressed by themselves. */
  addBytes(bytes: Uint8Array, start: number, end: number): void {
    if (start === end) return
    appendElements(this.#out, bytes, start, end)
    this.length += end - start
  }

  /** The pattern of layouts with these references, if there was one in this request. */
  find(refs: Uint8Array): RunPattern | undefined {
    for (let i = 0; i < this.#patternCount; i++) if (this.#patterns[i]!.isOf(refs)) return this.#patterns[i]
    return undefined
  }

  /** A pattern for a shape that is not there. That of an earlier request knows already in what its series differ. */
  begin(refs: Uint8Array, offsets: Uint32Array): RunPattern {
    const patterns = this.#patterns
    let place = this.#patternCount
    if (place < patternsMax) {
      const known = patterns.findIndex((pattern, i) => i >= place && pattern.isOf(refs))
      const pattern = patterns[known] ?? (patterns.length < patternsMax ? new RunPattern() : patterns[place]!)
      if (known >= 0) patterns[known] = patterns[place]!
      else if (patterns.length < patternsMax && place < patterns.length) patterns.push(patterns[place]!)
      patterns[place] = pattern
      this.#patternCount++
    } else place = this.#oldest = (this.#oldest + 1) % patternsMax
    patterns[place]!.begin(refs, offsets)
    return patterns[place]!
  }

  /**
   * Appends the series [from, to), all of which the pattern has; `words` and the pattern's places are by series of the layout. False, and nothing is
   * appended, if one is too far behind that of the pattern.
   */
  add(pattern: RunPattern, from: number, to: number, map: Uint32Array, words: Uint32Array, time: TimeWords): boolean {
    // Their lengths stand before the values that are known: a longer time makes them others.
    if (time.bytes !== this.#valueTimeBytes) this.#forgetValues()
    this.#valueTimeBytes = time.bytes
    const out = this.#out
    const before = out.length
    const end = this.#put(pattern, from, to, map, words, time)
    if (end < 0) {
      out.length = before
      // Some are of series that are not there now.
      this.#forgetValues()
      return false
    }
    this.length = end
    return true
  }

  // A series as it would be written out:
  // ┌ 2a ┬ length 1 ┬ 0a ┬ length 1 ┬ references ┬ 12 ┬ length 1 ┬ 09 ┬ value 8 ┬ 10 ┬ time ┐, without 09 and value for a value of zero.
  /** Returns where the series end, -1 if one is out of reach. The loop is long so that its state stays in registers: it runs for every sample. */
  #put(pattern: RunPattern, from: number, to: number, map: Uint32Array, words: Uint32Array, time: TimeWords): number {
    const { refs, offsets, places, headerEnds, spotOffsets, spots, plannedFrom } = pattern
    const lastWords = pattern.words
    const timeBytes = time.bytes
    const isSameTime = time.low === pattern.timeLow && time.high === pattern.timeHigh
    const out = this.#out
    const values = this.#values
    const tops = this.#tops
    const runPlace = this.length
    let { bytes } = out
    let at = out.length
    let place = runPlace
    // A copy that is not put yet, as it may go on.
    let distance = 0
    let length = 0
    // The series before, in this run.
    let sampleBefore = 0
    let placeBefore = 0
    let lowBefore = 0
    let wasZero = true
    for (let i = from; i < to; i++) {
      if (at + seriesRoom > bytes.length) {
        out.length = at
        out.reserve(seriesRoom)
        bytes = out.bytes
      }
      const isFirst = i === from
      const back = place - places[i]!
      if (back > copyDistanceMax) return -1
      places[i] = place
      const low = words[2 * i]! | 0
      const high = words[2 * i + 1]! | 0
      const lastLow = lastWords[2 * i]! | 0
      const lastHigh = lastWords[2 * i + 1]! | 0
      const isZero = (low | high) === 0
      const lastIsZero = (lastLow | lastHigh) === 0
      const headerEnd = headerEnds[i - plannedFrom]!
      const sample = place + headerEnd
      // How much of the series is put.
      let done = 0
      if (isZero !== lastIsZero) {
        at = putCopy(bytes, at, distance, length)
        length = 0
        bytes[at] = 3 << 2
        bytes[at + 1] = 0x2a
        bytes[at + 2] = headerEnd + timeBytes + (isZero ? 0 : 9)
        bytes[at + 3] = 0x0a
        bytes[at + 4] = headerEnd - 4
        at += 5
        done = 4
      }
      let reachesEnd = 0
      const spotEnd = spotOffsets[i - plannedFrom + 1]!
      for (let spot = spotOffsets[i - plannedFrom]!; spot < spotEnd; spot += spotFields) {
        const start = spots[spot]!
        if (start > done) {
          if (distance !== back) {
            at = putCopy(bytes, at, distance, length)
            distance = back
            length = 0
          }
          length += start - done
        }
        done = spots[spot + 1]!
        at = putCopy(bytes, at, distance, length)
        const sameAt = spots[spot + 2]!
        if (sameAt === 0 || isFirst) {
          length = 0
          at = putReferences(bytes, at, refs, offsets[i]!, start, done, map)
          reachesEnd = 0
        } else {
          distance = place + start - placeBefore - sameAt
          length = done - start
          reachesEnd = spots[spot + 3]!
        }
      }
      // The sample up to its time: a copy of `more` bytes from `moreBack`, then what is new of it. Here first for a value that was met before.
      const isSame = low === lastLow && high === lastHigh
      let moreBack = back
      let more = headerEnd - done
      let valueDone = 0
      let known = -1
      let hasTime = false
      if (isSame) {
        if (!isZero) more += 11
        else if (more > 0) {
          more += 2
          valueDone = 2
        } else if (!isFirst && wasZero) {
          moreBack = sample - sampleBefore
          more = 2
          valueDone = 2
        }
      } else if (!isZero) {
        const entry = (Math.imul(high, 0x297a2d39) >>> (32 - valueBits)) * valueFields
        known = values[entry + 1] === high ? values[entry + 2]! : -1
        if (sample - known > copyDistanceMax) known = -1
        // One of this run has the time behind it, too.
        hasTime = known >= runPlace
        if (known < 0 || values[entry] !== low) {
          if (!hasTime) known = -1
          if (more > 0) valueDone = lastIsZero ? 0 : 3 + sameBytes(low ^ lastLow)
          else if (!isFirst && !wasZero && (reachesEnd === 1 || ((low ^ lowBefore) & 0xff) === 0)) {
            moreBack = sample - sampleBefore
            valueDone = 3 + sameBytes(low ^ lowBefore)
          }
          more += valueDone
        } else valueDone = 11
        values[entry] = low
        values[entry + 1] = high
        values[entry + 2] = sample
      }
      if (more > 0) {
        if (distance !== moreBack) {
          at = putCopy(bytes, at, distance, length)
          distance = moreBack
          length = 0
        }
        length += more
      }
      if (isZero) {
        if (valueDone === 0) {
          at = putCopy(bytes, at, distance, length)
          length = 0
          bytes[at] = 1 << 2
          bytes[at + 1] = 0x12
          bytes[at + 2] = timeBytes
          at += 3
        }
      } else if (!isSame) {
        at = putCopy(bytes, at, distance, length)
        if (valueDone === 11) {
          distance = sample - known
          length = 11
        } else {
          // The last bytes of a value are its size, roughly: where they stood with the time of this run, a copy takes them, too.
          let same = 4
          const top = high >>> 16
          const topEntry = (top & topMask) * topFields
          if (!hasTime) {
            known = tops[topEntry] === top ? tops[topEntry + 1]! : -1
            hasTime = known >= runPlace
            same = hasTime ? 2 : 0
          }
          tops[topEntry] = top
          tops[topEntry + 1] = sample
          distance = sample - known
          length = same
          const literalBytes = 11 - valueDone - same
          if (literalBytes > 0) bytes[at++] = (literalBytes - 1) << 2
          if (valueDone === 0) {
            bytes[at] = 0x12
            bytes[at + 1] = 9 + timeBytes
            bytes[at + 2] = 0x09
            at += 3
            valueDone = 3
          }
          for (let k = valueDone - 3; k < 4; k++) bytes[at++] = low >>> (8 * k)
          for (let k = same; k < 4; k++) bytes[at++] = high >>> (8 * (k - same))
        }
      }
      // The time: as the copy has it, if it just goes on, else as the series before this one has it.
      const seriesBytes = headerEnd + 2 + (isZero ? 0 : 9) + timeBytes
      if (hasTime || (isSameTime && length > 0 && distance === back)) length += timeBytes
      else if (isFirst) {
        at = putCopy(bytes, at, distance, length)
        length = 0
        at = putTime(bytes, at, time)
      } else {
        if (distance !== seriesBytes) {
          at = putCopy(bytes, at, distance, length)
          distance = seriesBytes
          length = 0
        }
        length += timeBytes
      }
      sampleBefore = sample
      placeBefore = place
      lowBefore = low
      wasZero = isZero
      place += seriesBytes
    }
    out.length = putCopy(bytes, at, distance, length)
    return place
  }
}

/** Appends the elements of bytes that are compressed by themselves. */
export function appendElements(out: ByteWriter, bytes: Uint8Array, start: number, end: number): void {
  const block = compress(bytes, start, end)
  let from = 0
  while (block[from++]! >= 0x80);
  out.raw(block, from)
  // Its memory goes back now: the collector sees only a small object, and would let many of them pile up.
  block.buffer.transfer(0)
}

/** How many low bytes of two words are the same, by what differs. */
function sameBytes(difference: number): number {
  return difference === 0 ? 4 : (31 - Math.clz32(difference & -difference)) >> 3
}

/** The time of a run as a literal. */
function putTime(bytes: Uint8Array, at: number, { low, high, bytes: count }: TimeWords): number {
  let next = putLiteralHead(bytes, at, count)
  for (let k = 0; k < count; k++) bytes[next++] = k < 4 ? low >>> (8 * k) : high >>> (8 * k - 32)
  return next
}

/** A literal: of a series whose `labels_refs` field begins at `raw`, the references from `start` to `end`, as `map` has them. */
function putReferences(bytes: Uint8Array, at: number, refs: Uint8Array, raw: number, start: number, end: number, map: Uint32Array): number {
  let next = putLiteralHead(bytes, at, end - start)
  let from = raw + 1
  while (refs[from++]! >= 0x80);
  for (let place = 4; place < end;) {
    let ref = 0
    for (let shift = 0; ; shift += 7) {
      const byte = refs[from++]!
      ref |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    ref = map[ref]!
    const width = uvarintBytes(ref)
    if (place >= start) next = putUvarint(bytes, next, ref)
    place += width
  }
  return next
}
