import type { Labels } from '@narthex/model/labels'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { compareBytewise } from '@narthex/model/compare'
import { fnv1a64 } from '@narthex/bytes/fnv'
import { xxhash64 } from '@narthex/bytes/xxhash64'
import { zeroTimeNs } from './rfc3339.ts'

/** An alert as it was received and merged. Never changed in place: a newer state is a new object. */
export interface Alert {
  readonly labels: Labels
  readonly annotations: Readonly<Record<string, string>>
  readonly generatorURL: string
  readonly startsAtNs: bigint
  /** `zeroTimeNs` when the end is not known. */
  readonly endsAtNs: bigint
  readonly updatedAtNs: bigint
  /** Whether `endsAtNs` is our guess (now + resolve_timeout), because the sender gave none. */
  readonly timeout: boolean
  /** 16 hexadecimal digits, the same for the same labels everywhere. */
  readonly fingerprint: string
}

export function isResolvedAt(alert: Alert, timeNs: bigint): boolean {
  return alert.endsAtNs !== zeroTimeNs && alert.endsAtNs <= timeNs
}

const hashBytes = new ByteWriter(1024)

/** FNV-1a over the sorted labels, as Alertmanager prints it. */
export function fingerprintLabels(labels: Labels): string {
  writeLabels(labels)
  return fnv1a64(hashBytes.bytes, 0, hashBytes.length).toString(16).padStart(16, '0')
}

/** The hash by which the notification log knows an alert. */
export function hashForLog(labels: Labels): bigint {
  writeLabels(labels)
  return xxhash64(hashBytes.bytes, 0, hashBytes.length)
}

// ┌ name ┬ 0xff ┬ value ┬ 0xff ┐ for each label
function writeLabels(labels: Labels): void {
  hashBytes.reset()
  for (const text of labels.pairs) {
    hashBytes.utf8(text)
    hashBytes.u8(0xff)
  }
}

/** Two states of the same alert whose times overlap become one. */
export function mergeAlerts(one: Alert, other: Alert, nowNs: bigint): Alert {
  const [older, younger] = other.updatedAtNs < one.updatedAtNs ? [other, one] : [one, other]
  const startsAtNs = older.startsAtNs < younger.startsAtNs ? older.startsAtNs : younger.startsAtNs
  return { ...younger, startsAtNs, endsAtNs: keepsOldEnd(older, younger, nowNs) ? older.endsAtNs : younger.endsAtNs }
}

function keepsOldEnd(older: Alert, younger: Alert, nowNs: bigint): boolean {
  if (older.endsAtNs <= younger.endsAtNs) return false
  // The later end wins if both are over; a firing alert is not shortened, except that any word beats our own guess.
  return isResolvedAt(younger, nowNs) ? isResolvedAt(older, nowNs) : !older.timeout
}

/** Order of alerts in messages and in the API: by job, by instance (those that have them first), then by all labels. */
export function compareAlerts(a: Alert, b: Alert): number {
  return compareLabel('job', a.labels, b.labels) || compareLabel('instance', a.labels, b.labels) || compareLabelSets(a.labels, b.labels)
}

/** Alertmanager's order of label sets: fewer labels first; at the first difference the set that lacks the smaller name, or by value. */
export function compareLabelSets(a: Labels, b: Labels): number {
  if (a.size !== b.size) return a.size - b.size
  const left = a.pairs
  const right = b.pairs
  for (let i = 0; i < left.length; i++) {
    if (left[i] === right[i]) continue
    return i % 2 === 0 ? compareBytewise(right[i]!, left[i]!) : compareBytewise(left[i]!, right[i]!)
  }
  return 0
}

function compareLabel(name: string, a: Labels, b: Labels): number {
  if (a.has(name) !== b.has(name)) return a.has(name) ? -1 : 1
  return compareBytewise(a.get(name), b.get(name))
}
