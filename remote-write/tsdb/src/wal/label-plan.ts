// How the labels of a series in a log record come from those of the series before it in that record, a word a label:
//   ┌ 1 1 bit ┬ place of the equal label there 31 ┐          the same name and value
//   ┌ 0 1 bit ┬ place of the label of that name there 6 ┬ offset in the record 25 ┐   ┌ length ┬ name ┬ length ┬ value ┐ at that offset; place 63 = none
//   `emptyLabel`                                            a label without value, which is none

const copyFlag = 0x80000000
const offsetBits = 25
const offsetMask = 2 ** offsetBits - 1
const noPlace = 63
/** No label is at the last offset of the longest record. */
export const emptyLabel = 0x7fffffff

/** Place of the label to copy, -1 if it is not copied. */
export function copiedPlace(word: number): number {
  return (word | 0) < 0 ? word & 0x7fffffff : -1
}

/** Place of a label with the same name, -1 if there is none or the first 63 have none. */
export function namePlace(word: number): number {
  const place = word >>> offsetBits
  return place === noPlace ? -1 : place
}

export function labelOffset(word: number): number {
  return word & offsetMask
}

/** Compares the labels of each series of a record with those of the one before: bytes alone, so any thread can do it. */
export class LabelPlanner {
  #record: Uint8Array = new Uint8Array(0)
  #view: DataView = new DataView(new ArrayBuffer(0))
  /** Of the series before: how many labels, where each begins and its name ends; the last one ends where the one behind it would begin. */
  #count = 0
  #starts = new Uint32Array(65)
  #nameEnds = new Uint32Array(65)
  #newStarts = new Uint32Array(65)
  #newNameEnds = new Uint32Array(65)
  #at = 0

  /** The record whose series are asked for from now on. */
  begin(record: Uint8Array): void {
    this.#record = record
    this.#view = new DataView(record.buffer, record.byteOffset, record.byteLength)
    this.#count = 0
  }

  /** Words for the series whose ┌ labels uvarint ┬ (length uvarint ┬ bytes)* ┐ begins at `start`, all lengths of which were checked. */
  labelsOf(start: number): number {
    this.#at = start
    return this.#uvarint()
  }

  /** Writes the words of that series, and gives where they end. */
  plan(start: number, into: Uint32Array, to: number): number {
    const labels = this.labelsOf(start)
    if (labels >= this.#newStarts.length) this.#grow(labels)
    const known = this.#count
    const starts = this.#starts
    const nameEnds = this.#nameEnds
    const newStarts = this.#newStarts
    const newNameEnds = this.#newNameEnds
    let at = this.#at
    let place = 0
    for (let i = 0; i < labels; i++) {
      // Up to there it has the bytes that the one before has: whole labels, and maybe a name.
      const sameEnd = place < known ? this.#sameUntil(at, starts[place]!, starts[known]!) : 0
      for (; place < known && i < labels && starts[place + 1]! <= sameEnd; i++) {
        newStarts[i] = at
        newNameEnds[i] = at + nameEnds[place]! - starts[place]!
        at += starts[place + 1]! - starts[place]!
        into[to++] = copyFlag | place++
      }
      if (i === labels) break
      newStarts[i] = at
      let like = noPlace
      let nameEnd
      if (place < known && nameEnds[place]! <= sameEnd) {
        nameEnd = at + nameEnds[place]! - starts[place]!
        like = place++
      } else {
        this.#at = at
        const nameLength = this.#uvarint()
        nameEnd = this.#at + nameLength
        // Names ascend, so one that is missing here was passed over there.
        let order = 1
        while (place < known && (order = this.#compareNames(place, at, nameEnd)) < 0) place++
        if (order === 0 && place < known) {
          // It was not looked at before.
          if (this.#sameUntil(at, starts[place]!, starts[place + 1]!) === starts[place + 1]!) {
            i--
            continue
          }
          like = place++
        }
      }
      newNameEnds[i] = nameEnd
      this.#at = nameEnd
      const valueLength = this.#uvarint()
      into[to++] = valueLength === 0 ? emptyLabel : (Math.min(like, noPlace) << offsetBits) | at
      at = this.#at + valueLength
    }
    this.#at = at
    newStarts[labels] = this.#at
    this.#starts = newStarts
    this.#newStarts = starts
    this.#newNameEnds = this.#nameEnds
    this.#nameEnds = newNameEnds
    this.#count = labels
    return to
  }

  /** Up to where in [other, end), in the series before, its bytes equal those from `at` on. */
  #sameUntil(at: number, other: number, end: number): number {
    const record = this.#record
    const view = this.#view
    const ahead = at - other
    const last = Math.min(end, record.length - ahead)
    let i = other
    // Two words a turn, with one branch.
    while (i + 8 <= last && ((view.getInt32(i) ^ view.getInt32(i + ahead)) | (view.getInt32(i + 4) ^ view.getInt32(i + ahead + 4))) === 0)
      i += 8
    while (i + 4 <= last && view.getInt32(i) === view.getInt32(i + ahead)) i += 4
    while (i < last && record[i] === record[i + ahead]) i++
    return i
  }

  /** The order of the name of the one before at `place` and the one whose length is at `at`. */
  #compareNames(place: number, at: number, end: number): number {
    const record = this.#record
    let other = this.#pastLength(this.#starts[place]!)
    let here = this.#pastLength(at)
    const otherEnd = this.#nameEnds[place]!
    for (; other < otherEnd && here < end; other++, here++) if (record[other] !== record[here]) return record[other]! - record[here]!
    return otherEnd - other - (end - here)
  }

  #pastLength(at: number): number {
    let past = at
    while (this.#record[past++]! >= 0x80);
    return past
  }

  #grow(labels: number): void {
    this.#starts = new Uint32Array(2 * labels + 1)
    this.#nameEnds = new Uint32Array(2 * labels + 1)
    this.#newStarts = new Uint32Array(2 * labels + 1)
    this.#newNameEnds = new Uint32Array(2 * labels + 1)
    this.#count = 0
  }

  #uvarint(): number {
    const record = this.#record
    let value = 0
    for (let unit = 1; ; unit *= 128) {
      const byte = record[this.#at++]!
      value += (byte & 0x7f) * unit
      if (byte < 0x80) return value
    }
  }
}
