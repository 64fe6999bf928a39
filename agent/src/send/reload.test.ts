import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { RemoteWriteConfig } from '@narthex/config/remote-config'
import { Labels } from '@narthex/model/labels'
import { LayoutBuilder } from '../store/layout-builder.ts'
import type { RemotePoster } from './delivery.ts'
import type { RemoteStorage } from './remote-storage.ts'
import { FakeRemote } from './testkit/fake-remote.ts'
import { remoteConfig, TestStorages } from './testkit/storage.ts'
import type { RemoteOverrides } from './testkit/storage.ts'

let storages: TestStorages

beforeEach(() => {
  storages = new TestStorages()
})

afterEach(() => storages.end())

function configOf(name: string, overrides: RemoteOverrides = {}): RemoteWriteConfig {
  return remoteConfig({ name, url: `http://${name}/api/v1/write`, ...overrides })
}

const builder = new LayoutBuilder()
builder.addPairs(['__name__', 'm'], { name: 'm', type: 'gauge', help: 'Help.', unit: '' })
const layout = builder.build(1)

function scrape(storage: RemoteStorage, timeMs: number): void {
  storage.append({ layout, indexes: undefined, times: timeMs, words: new Uint32Array(2), count: 1 })
}

const neverAnswers = (): Promise<never> => new Promise(() => undefined)

describe('RemoteStorage.applyConfig', () => {
  test('a second reload waits for the first, and one sender is left', async () => {
    const posters: FakeRemote[] = []
    const closed: FakeRemote[] = []
    const storage = storages.open([configOf('r')], () => {
      const remote: FakeRemote & RemotePoster = new FakeRemote()
      // The first one does not answer, so that its reload takes its time.
      if (posters.length === 0) remote.answer = neverAnswers
      posters.push(Object.assign(remote, { close: () => Promise.resolve(void closed.push(remote)) }))
      return remote
    })
    scrape(storage, 1)
    await expect.poll(() => posters[0]!.requests.length).toBe(1)
    const first = storage.applyConfig([configOf('r', { headers: { a: '1' } })], Labels.empty)
    const second = storage.applyConfig([configOf('r', { headers: { a: '2' } })], Labels.empty)
    await Promise.all([first, second])
    scrape(storage, 2)
    await expect
      .poll(() =>
        posters
          .at(-1)!
          .stored.map(({ timeMs }) => timeMs)
          .at(-1),
      )
      .toBe(2)
    expect(closed).toEqual(posters.slice(0, -1))
    const all = posters.flatMap(({ stored }) => stored.map(({ timeMs }) => timeMs))
    expect(all).toEqual([1, 2])
    expect(posters.at(-1)!.requests.at(-1)!.headers['a']).toBe('2')
  })

  test('a close during a reload ends what the reload would start', async () => {
    const posters: FakeRemote[] = []
    const storage = storages.open([configOf('r')], () => {
      const remote = new FakeRemote()
      remote.answer = neverAnswers
      posters.push(remote)
      return remote
    })
    scrape(storage, 1)
    await expect.poll(() => posters[0]!.requests.length).toBe(1)
    const reload = storage.applyConfig([configOf('r', { headers: { a: '1' } })], Labels.empty)
    await storages.close(storage, 0)
    await reload
    const requests = posters.flatMap((poster) => poster.requests).length
    // Twenty times the batch deadline: what runs on would have asked by then. A busy machine cannot make this fail.
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(posters.flatMap((poster) => poster.requests)).toHaveLength(requests)
    // The directory is free for the next run, which has everything.
    const alive = new FakeRemote()
    storages.open([configOf('r')], () => alive)
    await expect.poll(() => alive.stored.map(({ timeMs }) => timeMs)).toEqual([1])
  })

  test('a remote that cannot be made is told, and keeps no other one from its samples', async () => {
    const good = new FakeRemote()
    const createPoster = (config: RemoteWriteConfig): RemotePoster => {
      if (config.name === 'bad') throw new Error('cannot read ca.pem')
      return good
    }
    const storage = storages.open([], createPoster)
    await expect(storage.applyConfig([configOf('bad'), configOf('good')], Labels.empty)).rejects.toThrow('cannot read ca.pem')
    scrape(storage, 1)
    await expect.poll(() => good.stored.map(({ timeMs }) => timeMs)).toEqual([1])
    // Mended, it gets what came meanwhile.
    await storage.applyConfig([configOf('bad', { name: 'mended' }), configOf('good')], Labels.empty)
    await expect.poll(() => good.stored.map(({ timeMs }) => timeMs)).toEqual([1, 1])
  })
})

describe('metadata of remote write 1.0', () => {
  test('one request at a time, however long the remote refuses it', async () => {
    const remote = new FakeRemote()
    let atOnce = 0
    let most = 0
    remote.answer = async (request) => {
      if (request.metadata.length === 0) return {}
      most = Math.max(most, ++atOnce)
      await new Promise((resolve) => setTimeout(resolve, 10))
      atOnce--
      return { status: 503 }
    }
    const metadata = { send: true, sendIntervalMs: 20, maxSamplesPerSend: 2000 }
    const storage = storages.open([configOf('r', { protobufMessage: 'prometheus.WriteRequest', metadata })], () => remote)
    for (let i = 0; i < 20; i++) {
      scrape(storage, i)
      await new Promise((resolve) => setTimeout(resolve, 15))
    }
    await expect.poll(() => most).toBe(1)
    await expect.poll(() => remote.stored.length).toBe(20)
    expect(most).toBe(1)
  })
})
