import { compareAlerts, fingerprintLabels, hashForLog, isResolvedAt, mergeAlerts } from './alert.ts'
import { describe, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { zeroTimeNs } from './rfc3339.ts'
import type { Alert } from './alert.ts'

function makeAlert(alert: Partial<Alert>, labels: Record<string, string> = { alertname: 'A' }): Alert {
  const set = Labels.from(labels)
  const times = { startsAtNs: 100n, endsAtNs: 200n, updatedAtNs: 100n, timeout: false }
  return { labels: set, annotations: {}, generatorURL: '', fingerprint: fingerprintLabels(set), ...times, ...alert }
}

describe('alerts', () => {
  test('have the fingerprints of Alertmanager', () => {
    expect(fingerprintLabels(Labels.from({ alertname: 'A', i: '1', sev: 'x', team: 'b' }))).toBe('442f2af0f85c10fa')
    expect(fingerprintLabels(Labels.from({ alertname: 'W', sev: 'crit' }))).toBe('d5439d4594160e4b')
    // From an nflog file of Alertmanager 0.25: cc b4 fb f3 85 93 c4 a7 4c.
    expect(hashForLog(Labels.from({ alertname: 'Z', job: 'j' }))).toBe(readVarint('ccb4fbf38593c4a74c'))
  })

  test('end at their end, not before', () => {
    expect(isResolvedAt(makeAlert({}), 199n)).toBe(false)
    expect(isResolvedAt(makeAlert({}), 200n)).toBe(true)
    expect(isResolvedAt(makeAlert({ endsAtNs: zeroTimeNs }), 10n ** 20n)).toBe(false)
  })

  test('keep the earliest start and a later certain end when merged', () => {
    const older = makeAlert({ startsAtNs: 50n, endsAtNs: 500n, updatedAtNs: 1n })
    const younger = makeAlert({ startsAtNs: 100n, endsAtNs: 300n, updatedAtNs: 2n, annotations: { new: 'yes' } })
    expect(mergeAlerts(older, younger, 150n)).toMatchObject({ startsAtNs: 50n, endsAtNs: 500n, annotations: { new: 'yes' } })
    expect(mergeAlerts(younger, older, 150n)).toEqual(mergeAlerts(older, younger, 150n))
  })

  test('give up a guessed end for a word from the sender', () => {
    const guessed = makeAlert({ endsAtNs: 500n, updatedAtNs: 1n, timeout: true })
    const told = makeAlert({ endsAtNs: 300n, updatedAtNs: 2n })
    expect(mergeAlerts(guessed, told, 150n).endsAtNs).toBe(300n)
  })

  test('end when the younger one is over, unless both are', () => {
    const firing = makeAlert({ endsAtNs: 500n, updatedAtNs: 1n })
    const over = makeAlert({ endsAtNs: 150n, updatedAtNs: 2n })
    expect(mergeAlerts(firing, over, 160n).endsAtNs).toBe(150n)
    expect(mergeAlerts(firing, over, 600n).endsAtNs).toBe(500n)
  })

  test('are sorted by job, then instance, then the rest', () => {
    const sets: Record<string, string>[] = [
      { a: '1' },
      { job: 'b', instance: '1' },
      { job: 'a', instance: '2' },
      { job: 'a', instance: '1', z: '1' },
      { job: 'a' },
    ]
    const sorted = sets.map((labels) => makeAlert({}, labels)).sort(compareAlerts)
    expect(sorted.map((alert) => alert.labels.toString())).toEqual([
      '{instance="1", job="a", z="1"}',
      '{instance="2", job="a"}',
      '{job="a"}',
      '{instance="1", job="b"}',
      '{a="1"}',
    ])
  })
})

function readVarint(hex: string): bigint {
  return Buffer.from(hex, 'hex').reduce((sum, byte, index) => sum | (BigInt(byte & 0x7f) << BigInt(7 * index)), 0n)
}
