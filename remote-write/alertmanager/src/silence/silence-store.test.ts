import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FakeClock } from '@narthex/service/fake-clock'
import { join } from 'node:path'
import { Labels } from '@narthex/model/labels'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { msToNs } from '../rfc3339.ts'
import { parseMatchers } from '../matcher-parser.ts'
import { Registry } from '@narthex/service/metrics'
import { silentLogger } from '@narthex/service/logger'
import { SilenceStore } from './silence-store.ts'
import { tmpdir } from 'node:os'

const startMs = Date.UTC(2026, 0, 5)
const minute = 60_000
const minuteNs = msToNs(minute)
const startNs = msToNs(startMs)
const draft = {
  id: '',
  matchers: parseMatchers('a=b'),
  startsAtNs: startNs,
  endsAtNs: startNs + 10n * minuteNs,
  createdBy: 'me',
  comment: 'c',
}
const labels = Labels.from({ a: 'b' })

let directory: string
let clock: FakeClock
let store: SilenceStore

function open(silencesMax = 0): Promise<SilenceStore> {
  const path = join(directory, 'silences')
  return SilenceStore.open({ path, clock, log: silentLogger, registry: new Registry(), retentionMs: 60 * minute, silencesMax })
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'narthex-silences-'))
  clock = new FakeClock(startMs)
  store = await open()
})

afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true })
})

describe('silences', () => {
  test('hold from their start to just before their end', async () => {
    const id = store.set({ ...draft, startsAtNs: startNs + minuteNs })
    expect(store.findActive(labels)).toEqual([])
    await clock.advance(minute)
    expect(store.findActive(labels)).toEqual([id])
    expect(store.findActive(Labels.from({ a: 'c' }))).toEqual([])
    await clock.advance(9 * minute - 1)
    expect(store.findActive(labels)).toEqual([id])
    await clock.advance(1)
    expect(store.findActive(labels)).toEqual([])
  })

  test('keep their id when only the end moves, and get a new one when matchers do', () => {
    const id = store.set(draft)
    expect(store.set({ ...draft, id, endsAtNs: startNs + 20n * minuteNs })).toBe(id)
    const other = store.set({ ...draft, id, matchers: parseMatchers('a=c') })
    expect(other).not.toBe(id)
    expect(store.state(store.get(id)!)).toBe('expired')
    expect(store.state(store.get(other)!)).toBe('active')
  })

  test('begin anew under a new id once they are over', async () => {
    const id = store.set(draft)
    await clock.advance(11 * minute)
    const again = store.set({ ...draft, id, endsAtNs: startNs + 20n * minuteNs })
    expect(again).not.toBe(id)
    expect(store.get(again)?.startsAtNs).toBe(msToNs(clock.now()))
  })

  test('that are pending end without ever having begun', () => {
    const id = store.set({ ...draft, startsAtNs: startNs + minuteNs })
    store.expire(id)
    expect(store.state(store.get(id)!)).toBe('expired')
    expect(() => store.expire('unknown')).toThrow('silence not found')
  })

  test('are refused when they would match everything or nothing is left to hold them', async () => {
    expect(() => store.set({ ...draft, matchers: parseMatchers('a=~".*"') })).toThrow(
      'invalid silence: at least one matcher must not match the empty string',
    )
    expect(() => store.set({ ...draft, id: 'unknown' })).toThrow('silence not found')
    const limited = await open(1)
    limited.set(draft)
    expect(() => limited.set(draft)).toThrow('exceeded maximum number of silences: 1 (limit: 1)')
    await limited.close()
  })

  test('are listed active by end, pending by start, then expired by end from the newest', () => {
    const set = (comment: string, startMinute: bigint, endMinute: bigint) =>
      store.set({ ...draft, comment, startsAtNs: startNs + startMinute * minuteNs, endsAtNs: startNs + endMinute * minuteNs })
    set('pending late', 3n, 4n)
    set('active long', 0n, 9n)
    store.expire(set('expired', 0n, 1n))
    set('pending soon', 1n, 9n)
    set('active short', 0n, 2n)
    expect(store.all().map((silence) => silence.comment)).toEqual([
      'active short',
      'active long',
      'pending soon',
      'pending late',
      'expired',
    ])
  })

  test('are on disk within a second and survive', async () => {
    const id = store.set(draft)
    await clock.advance(1000)
    await store.close()
    expect(await readdir(directory)).toEqual(['silences'])
    store = await open()
    expect(store.get(id)).toMatchObject({ createdBy: 'me', comment: 'c', endsAtNs: draft.endsAtNs })
  })

  test('are forgotten after the retention', async () => {
    const id = store.set(draft)
    await clock.advance(70 * minute)
    expect(store.get(id)).toBeDefined()
    await clock.advance(15 * minute)
    expect(store.get(id)).toBeUndefined()
  })

  test('that cannot be read stop the start with the path', async () => {
    await store.close()
    await writeFile(join(directory, 'silences'), Buffer.from([5, 1, 2]))
    await expect(open()).rejects.toThrow(`cannot load silences from ${join(directory, 'silences')}`)
  })
})
