import { uvarintBytes } from './sample-field.ts'
import type { TimeWords } from './sample-field.ts'

/** Fields of one spot. */
export const spotFields = 4
/** A copy takes up to this many bytes in two. */
const shortCopyMax = 11
const copyMin = 4
/** The head of a series: tag and length of the `timeseries` field, tag and length of `labels_refs`. */
const headBytes = 4
/** With more symbols of its own than this a target's series are not like those of another one. */
const ownSymbolsMax = 64

/**
 * Series of one shape in a request, that is of layouts with the same references: where the last of them lie, and in what those of the next layout
 * will differ. What is in all of a target's series and in no other target's (`instance`, say) is mostly in the series before, too.
 */
export class RunPattern {
  refs: Uint8Array = new Uint8Array(0)
  offsets: Uint32Array = new Uint32Array(1)
  /** The series that `places`, `words` and `map` are of. */
  from = 0
  to = 0
  map: Uint32Array = new Uint32Array(1)
  /** The `timestamp` field of all of them. */
  timeLow = 0
  timeHigh = 0
  timeBytes = 0
  /** By series of the layout: where its last `timeseries` field begins in the request's series. */
  places = new Int32Array(0)
  /** By series of the layout: the bits of its last value. */
  words = new Uint32Array(0)
  /** By series, counted from `#plannedFrom`: bytes before the `samples` field. */
  headerEnds = new Uint8Array(0)
  /** By series, counted from `#plannedFrom`: where its spots begin in `spots`. */
  spotOffsets = new Uint32Array(1)
  /**
   * Spots are where a series differs from that of the same place before. Each is four numbers: where it begins and ends in the series, where the
   * same bytes are in the series before this one (0 = nowhere), and 1 if both reach to their `samples`.
   */
  spots = new Uint8Array(0)
  #plannedFrom = -1
  #plannedTo = -1
  #own = new Uint8Array(0)
  #ownRefs: number[] = []
  /** Lengths of the references in the request by those of the layout, as planned; whether this request has them is looked at once. */
  #widths = new Uint8Array(0)
  #hasCheckedWidths = false

  /** Begins anew with no series, for layouts with these references. A plan that was made for the same ones is kept. */
  begin(refs: Uint8Array, offsets: Uint32Array): void {
    if (!this.isOf(refs)) this.forgetPlan()
    this.refs = refs
    this.offsets = offsets
    this.from = 0
    this.to = 0
    this.#hasCheckedWidths = false
  }

  /** All series that it has are [from, to) of one layout. */
  hold(from: number, to: number, map: Uint32Array, time: TimeWords): void {
    this.from = from
    this.to = to
    this.map = map
    this.timeLow = time.low
    this.timeHigh = time.high
    this.timeBytes = time.bytes
  }

  /** Makes room for the places and values of the series before `to`. */
  reserve(to: number): void {
    if (this.places.length >= to) return
    const places = new Int32Array(to + (to >> 2))
    const words = new Uint32Array(2 * places.length)
    places.set(this.places)
    words.set(this.words)
    this.places = places
    this.words = words
  }

  /** References have other lengths from now on. */
  forgetPlan(): void {
    this.#plannedFrom = -1
  }

  isOf(refs: Uint8Array): boolean {
    return this.refs.length === refs.length && (this.refs === refs || Buffer.compare(this.refs, refs) === 0)
  }

  /** The first series that `headerEnds` and `spotOffsets` know. */
  get plannedFrom(): number {
    return this.#plannedFrom
  }

  /**
   * Finds out where the series [from, to), which have places here, will differ with references by `map`. False if they are no good pattern: their
   * references have other lengths, or are too many or too long.
   */
  plan(map: Uint32Array, from: number, to: number): boolean {
    const { refs } = this
    const symbols = Math.min(map.length, this.map.length)
    const own: number[] = []
    for (let ref = 1; ref < symbols; ref++) {
      if (map[ref] === this.map[ref]) continue
      if (own.length === ownSymbolsMax || uvarintBytes(map[ref]!) !== uvarintBytes(this.map[ref]!)) return false
      own.push(ref)
    }
    const isPlanned = this.#plannedFrom >= 0 && from >= this.#plannedFrom && to <= this.#plannedTo
    if (isPlanned && own.length === this.#ownRefs.length && own.every((ref, i) => ref === this.#ownRefs[i]) && this.#hasWidths(map))
      return true
    this.#keepWidths(map)
    if (this.#own.length < map.length) this.#own = new Uint8Array(map.length)
    else this.#own.fill(0)
    for (const ref of own) this.#own[ref] = 1
    this.#ownRefs = own
    this.#plannedFrom = -1
    const count = to - from
    if (this.headerEnds.length < count) {
      this.headerEnds = new Uint8Array(count)
      this.spotOffsets = new Uint32Array(count + 1)
    }
    let end = 0
    for (let i = from; i < to; i++) {
      this.spotOffsets[i - from] = end
      end = this.#planSeries(refs, map, i, i > from, end, from)
      if (end < 0) return false
    }
    this.spotOffsets[count] = end
    this.#plannedFrom = from
    this.#plannedTo = to
    return true
  }

  /** Within a request only own references change, and `plan` has looked at these. */
  #hasWidths(map: Uint32Array): boolean {
    if (this.#hasCheckedWidths) return true
    const widths = this.#widths
    if (widths.length !== map.length) return false
    for (let ref = 0; ref < map.length; ref++) if (widths[ref] !== uvarintBytes(map[ref]!)) return false
    this.#hasCheckedWidths = true
    return true
  }

  #keepWidths(map: Uint32Array): void {
    if (this.#widths.length !== map.length) this.#widths = new Uint8Array(map.length)
    for (let ref = 0; ref < map.length; ref++) this.#widths[ref] = uvarintBytes(map[ref]!)
    this.#hasCheckedWidths = true
  }

  /** Appends the spots of one series; -1 if it is too long. */
  #planSeries(refs: Uint8Array, map: Uint32Array, series: number, hasBefore: boolean, firstSpot: number, from: number): number {
    const { offsets } = this
    const rawEnd = offsets[series + 1]!
    const room = (rawEnd - offsets[series]!) * spotFields
    if (firstSpot + room > this.spots.length) {
      const grown = new Uint8Array(2 * (firstSpot + room))
      grown.set(this.spots.subarray(0, firstSpot))
      this.spots = grown
    }
    const { spots } = this
    let spot = firstSpot
    let raw = bodyStart(refs, offsets[series]!)
    // Own references stand in the same order in every series: the one before is walked along.
    let rawBefore = hasBefore ? bodyStart(refs, offsets[series - 1]!) : 0
    const rawBeforeEnd = hasBefore ? offsets[series]! : 0
    let atBefore = headBytes
    let at = headBytes
    while (raw < rawEnd) {
      const ref = readRef(refs, raw)
      const bytes = uvarintBytes(map[ref]!)
      if (this.#own[ref] !== 1) {
        raw = skipRef(refs, raw)
        at += bytes
        continue
      }
      const start = at
      let scan = rawBefore
      let scanAt = atBefore
      while (scan < rawBeforeEnd) {
        const other = readRef(refs, scan)
        if (other === ref) break
        scan = skipRef(refs, scan)
        scanAt += uvarintBytes(map[other]!)
      }
      let before = 0
      let reachesEnd = 0
      if (scan < rawBeforeEnd) {
        before = scanAt
        while (raw < rawEnd && scan < rawBeforeEnd) {
          const here = readRef(refs, raw)
          const width = uvarintBytes(map[here]!)
          if (here !== readRef(refs, scan) || (at - start + width > shortCopyMax && this.#own[here] !== 1)) break
          raw = skipRef(refs, raw)
          scan = skipRef(refs, scan)
          at += width
          scanAt += width
        }
        rawBefore = scan
        atBefore = scanAt
        if (raw === rawEnd && scan === rawBeforeEnd) reachesEnd = 1
      } else {
        raw = skipRef(refs, raw)
        at += bytes
      }
      if (at - start < copyMin) {
        before = 0
        reachesEnd = 0
      }
      // What is too short for a copy between two spots is written out with both.
      const gap = spot === firstSpot ? copyMin : start - spots[spot - spotFields + 1]!
      const isBehindLiteral = gap === 0 && before === 0 && spots[spot - spotFields + 2] === 0
      if ((gap > 0 && gap < copyMin) || isBehindLiteral) {
        spots[spot - spotFields + 1] = at
        spots[spot - spotFields + 2] = 0
        spots[spot - spotFields + 3] = 0
        continue
      }
      spots[spot] = start
      spots[spot + 1] = at
      spots[spot + 2] = before
      spots[spot + 3] = reachesEnd
      spot += spotFields
    }
    // Lengths of one byte: 2 of `samples`, 9 of a value, up to 8 of a time behind the references.
    if (at + 2 + 9 + 8 - 2 > 0x7f) return -1
    this.headerEnds[series - from] = at
    return spot
  }
}

/** Where the references of a `labels_refs` field begin. */
function bodyStart(refs: Uint8Array, start: number): number {
  let at = start + 1
  while (refs[at++]! >= 0x80);
  return at
}

function skipRef(refs: Uint8Array, at: number): number {
  let next = at
  while (refs[next++]! >= 0x80);
  return next
}

function readRef(refs: Uint8Array, at: number): number {
  let ref = refs[at]!
  if (ref < 0x80) return ref
  ref &= 0x7f
  for (let i = at + 1, shift = 7; ; i++, shift += 7) {
    const byte = refs[i]!
    ref |= (byte & 0x7f) << shift
    if (byte < 0x80) return ref
  }
}
