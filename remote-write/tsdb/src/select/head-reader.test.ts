import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import type { MatchType } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { Head } from '../head/head.ts'
import { HeadReader } from './head-reader.ts'

const nowMs = 1_800_000_000_000

function fill(labelSets: readonly Record<string, string>[]): HeadReader {
  const head = new Head({ memoryBytesMax: 2 ** 28, now: () => nowMs })
  for (const labels of labelSets) head.append(head.refByLabels(Labels.from(labels)), nowMs, 0, 0)
  head.commit()
  return new HeadReader(head.descriptor())
}

function select(reader: HeadReader, ...matchers: Matcher[]): string[] {
  const found: string[] = []
  for (const set = reader.select(matchers, -Infinity, Infinity); set.next();) found.push(set.labels().toString())
  return found
}

const word = fc.constantFrom('', 'a', 'b', 'ab', 'ba', 'é', 'z')
const labelSet = fc.record({ __name__: fc.constantFrom('up', 'down'), x: word, y: word, ä: word })
const matcher = fc
  .tuple(
    fc.constantFrom<MatchType>('=', '!=', '=~', '!~'),
    fc.constantFrom('__name__', 'x', 'y', 'ä', 'missing'),
    fc.constantFrom('', 'a', 'up', 'a|b', '.*', '.+', 'a.*', '(a|)', '[^a]', 'é', 'nothing'),
  )
  .map(([type, name, value]) => new Matcher(type, name, value))

describe('select', () => {
  it('finds exactly the series whose labels match, in their order', () => {
    fc.assert(
      fc.property(fc.array(labelSet, { maxLength: 40 }), fc.array(matcher, { minLength: 1, maxLength: 4 }), (sets, matchers) => {
        const all = new Map(sets.map((set) => [Labels.from(set).key(), Labels.from(set)]))
        const wanted = [...all.values()]
          .filter((labels) => matchers.every((each) => each.matches(labels.get(each.name))))
          .sort((a, b) => Labels.compare(a, b))
          .map(String)
        expect(select(fill(sets), ...matchers)).toEqual(wanted)
      }),
      { numRuns: 60 },
    )
  })

  it('finds series by a value that thousands of others do not have', () => {
    const reader = fill(Array.from({ length: 5000 }, (_, i) => ({ __name__: 'up', i: String(i), odd: String(i % 2) })))
    expect(select(reader, new Matcher('=', 'i', '77'), new Matcher('=', 'odd', '1'))).toHaveLength(1)
    expect(select(reader, new Matcher('=', 'i', '77'), new Matcher('=', 'odd', '0'))).toHaveLength(0)
    expect(select(reader, new Matcher('=', 'odd', '0'))).toHaveLength(2500)
    expect(select(reader, new Matcher('=~', 'i', '1.*'), new Matcher('!=', 'odd', '0'))).toHaveLength(1 + 5 + 50 + 500)
    expect(select(reader, new Matcher('=', '__name__', 'up'))).toHaveLength(5000)
  })

  it('leaves out series without a sample in the time asked for', () => {
    const head = new Head({ memoryBytesMax: 2 ** 28, now: () => nowMs })
    head.append(head.refByLabels(Labels.from({ __name__: 'old' })), nowMs - 1000, 0, 0)
    head.append(head.refByLabels(Labels.from({ __name__: 'new' })), nowMs, 0, 0)
    head.refByLabels(Labels.from({ __name__: 'none' }))
    head.commit()
    const reader = new HeadReader(head.descriptor())
    const find = (from: number, to: number): string[] => {
      const names: string[] = []
      for (const set = reader.select([new Matcher('!=', '__name__', '')], from, to); set.next();) names.push(set.labels().get('__name__'))
      return names
    }
    expect(find(nowMs - 1000, nowMs)).toEqual(['new', 'old'])
    expect(find(nowMs - 999, nowMs)).toEqual(['new'])
    expect(find(nowMs - 5000, nowMs - 1)).toEqual(['old'])
    expect(find(nowMs + 1, nowMs + 2)).toEqual([])
  })
})

describe('a selection of some labels', () => {
  const sets = Array.from({ length: 60 }, (_, i) => ({
    __name__: 'up',
    i: String(i),
    pod: `p${i % 5}`,
    ...(i % 3 === 0 ? {} : { zone: `z${i % 2}` }),
  }))
  const list = (labels: readonly string[]) => {
    const found: Labels[] = []
    for (const set = fill(sets).select([new Matcher('=', '__name__', 'up')], -Infinity, Infinity, { anyOrder: true, labels }); set.next();)
      found.push(set.labels())
    return found
  }

  it.each([[[]], [['pod']], [['pod', 'zone']], [['__name__', 'pod', 'zone']], [['i', 'missing']]])('gives these alone: %j', (names) => {
    const wanted = sets.map((set) =>
      Labels.from(set as Record<string, string>)
        .keep(...names)
        .toString(),
    )
    expect(list(names).map(String).sort()).toEqual(wanted.sort())
  })

  it('gives series that agree in them the same object', () => {
    expect(new Set(list(['pod'])).size).toBe(5)
    expect(new Set(list(['__name__', 'pod', 'zone'])).size).toBe(15)
  })
})

describe('a selection in any order', () => {
  it('has the same series, each with its samples', () => {
    const reader = fill(Array.from({ length: 300 }, (_, i) => ({ __name__: 'up', i: String((i * 7919) % 300) })))
    const list = (anyOrder: boolean): string[] => {
      const found: string[] = []
      for (const set = reader.select([new Matcher('=', '__name__', 'up')], -Infinity, Infinity, { anyOrder }); set.next();) {
        const columns = new SampleColumns()
        set.samples(columns)
        found.push(`${set.labels().toString()} ${columns.length}`)
      }
      return found
    }
    expect(list(true)).not.toEqual(list(false))
    expect(list(true).sort()).toEqual(list(false).sort())
  })
})

describe('label names and values', () => {
  const reader = fill([
    { __name__: 'up', job: 'a', zone: 'é' },
    { __name__: 'up', job: 'b', instance: 'z' },
    { __name__: 'down', job: 'c' },
  ])

  it('are those of all series, sorted bytewise', () => {
    expect(reader.labelNames([], -Infinity, Infinity)).toEqual(['__name__', 'instance', 'job', 'zone'])
    expect(reader.labelValues('job', [], -Infinity, Infinity)).toEqual(['a', 'b', 'c'])
    expect(reader.labelValues('missing', [], -Infinity, Infinity)).toEqual([])
  })

  it('are those of the series that match', () => {
    const up = [new Matcher('=', '__name__', 'up')]
    expect(reader.labelNames([...up, new Matcher('=', 'job', 'b')], -Infinity, Infinity)).toEqual(['__name__', 'instance', 'job'])
    expect(reader.labelValues('job', up, -Infinity, Infinity)).toEqual(['a', 'b'])
  })

  // Large enough that each way to find them is taken: by the labels of few series, by the series of each value, by bits and by lists.
  it('are exactly those of the series that match, be they many or few', () => {
    const sets = Array.from({ length: 6000 }, (_, i): Record<string, string> => ({
      __name__: `m${i % 40}`,
      pod: `p${Math.floor(i / 40)}`,
      zone: `z${i % 3}`,
      // Most of its values are those of one zone alone.
      tied: `t${i % 3 === 1 ? i % 30 : 'one'}`,
      ...(i % 2 === 0 ? { even: 'yes' } : {}),
      ...(i === 77 ? { rare: 'one' } : {}),
    }))
    const many = fill(sets)
    const selectors: Matcher[][] = [
      [new Matcher('=~', '__name__', 'm1.*')],
      [new Matcher('=~', '__name__', 'm(1|2)'), new Matcher('!=', 'zone', 'z1')],
      [new Matcher('=~', 'pod', 'p1.'), new Matcher('!=', 'even', '')],
      [new Matcher('=~', 'pod', 'p1.'), new Matcher('!=', 'zone', 'z1')],
      [new Matcher('=~', 'pod', 'p1.'), new Matcher('=~', 'zone', 'z[02]'), new Matcher('!=', 'even', 'yes')],
      [new Matcher('=', '__name__', 'm7'), new Matcher('=', 'zone', 'z2')],
      [new Matcher('=', 'pod', 'p3'), new Matcher('!=', 'even', 'yes'), new Matcher('=~', 'zone', 'z[01]')],
      [new Matcher('=', 'zone', 'z0'), new Matcher('=~', 'even', '.+'), new Matcher('!~', 'pod', 'p.')],
      [new Matcher('!=', 'zone', 'z0')],
      [new Matcher('!~', 'zone', 'z[0-2]')],
      [new Matcher('=', 'rare', 'one')],
      [new Matcher('=', 'rare', 'none')],
    ]
    for (const selector of selectors) {
      const wanted = sets.filter((set) => selector.every((each) => each.matches(set[each.name] ?? '')))
      expect(select(many, ...selector)).toHaveLength(wanted.length)
      const distinct = (texts: readonly string[]): string[] => [...new Set(texts)].sort()
      expect(many.labelNames(selector, -Infinity, Infinity)).toEqual(distinct(wanted.flatMap((set) => Object.keys(set))))
      for (const name of ['__name__', 'pod', 'zone', 'tied', 'even', 'rare']) {
        const values = distinct(wanted.flatMap((set) => set[name] ?? []))
        expect(many.labelValues(name, selector, -Infinity, Infinity)).toEqual(values)
      }
    }
  })

  it('are not those of series that were freed', () => {
    const head = new Head({ memoryBytesMax: 2 ** 28, now: () => nowMs })
    for (let i = 0; i < 100; i++) {
      const timeMs = i % 2 === 0 ? nowMs - 1000 : nowMs
      head.append(head.refByLabels(Labels.from({ __name__: 'up', i: String(i), [i % 2 === 0 ? 'old' : 'new']: 'yes' })), timeMs, 0, 0)
    }
    head.commit()
    for (let ref = 1; ref !== 0;) ref = head.dropBefore(nowMs, ref, 1000)
    const others = new HeadReader(head.descriptor())
    const look = (): void => {
      for (const selector of [[new Matcher('!=', 'zone', 'z0')], [new Matcher('=', '__name__', 'up')]]) {
        expect(others.labelNames(selector, -Infinity, Infinity)).toEqual(['__name__', 'i', 'new'])
        expect(others.labelValues('i', selector, -Infinity, Infinity)).toHaveLength(50)
        expect(others.labelValues('old', selector, -Infinity, Infinity)).toEqual([])
      }
      others.release()
    }
    // One step at a time: lists of the freed are still there after the first ones.
    head.collectSeries()
    look()
    while (head.collectSeries()) look()
    look()
  })

  it('are none when the head has nothing at that time', () => {
    expect(reader.labelNames([], nowMs + 1, nowMs + 2)).toEqual([])
    expect(reader.labelValues('job', [], 0, nowMs - 1)).toEqual([])
  })
})

describe('status', () => {
  it('lists the ten longest of each kind', () => {
    const status = fill(Array.from({ length: 66 }, (_, i) => ({ __name__: `m${Math.floor(Math.sqrt(2 * i))}`, i: String(i) }))).status()
    expect(status.seriesCount).toBe(66)
    expect(status.seriesCountByMetricName).toHaveLength(10)
    const counts = status.seriesCountByMetricName.map(({ value }) => value)
    expect(counts).toEqual([...counts].sort((a, b) => b - a))
    expect(status.labelValueCountByLabelName).toEqual([
      { name: 'i', value: 66 },
      { name: '__name__', value: 12 },
    ])
    // A name and a value have a byte for their length each.
    expect(status.memoryInBytesByLabelName).toEqual([
      { name: '__name__', value: 66 * (8 + 1 + 1) + 66 * 2 + (66 - 50) },
      { name: 'i', value: 66 * (1 + 1 + 1) + 10 + 56 * 2 },
    ])
    expect(status.minTimeMs).toBe(nowMs)
  })
})

describe('a reader in another thread', () => {
  it('sees whole commits only, all samples intact, while the writer appends', async () => {
    const head = new Head({ memoryBytesMax: 2 ** 28, now: () => nowMs })
    const words = new Uint32Array(2)
    const value = new Float64Array(words.buffer)
    let series = 0
    let rounds = 0
    const refs: number[] = []
    // Each commit has one sample of every series, at the time of the round; every few rounds there are more series.
    const round = (): void => {
      for (; series < 200 + rounds * 2; series++)
        refs.push(head.refByLabels(Labels.from({ __name__: 'm', i: String(series), start: String(rounds) })))
      for (let i = 0; i < series; i++) {
        value[0] = i * 1000 + rounds / 7
        head.append(refs[i]!, nowMs - 3_600_000 + rounds, words[0]!, words[1]!)
      }
      head.commit()
      rounds++
    }
    round()
    const descriptor = head.descriptor()
    const worker = new Worker(new URL('./head-reader.test-worker.ts', import.meta.url), { workerData: descriptor })
    let report: { queries: number; samples: number; failure: string } | undefined
    worker.on('message', (message: typeof report) => (report = message))
    const exit = once(worker, 'exit')
    await once(worker, 'online')
    while (rounds < 1500 && report === undefined) {
      for (let i = 0; i < 5; i++) round()
      await new Promise((resolve) => setImmediate(resolve))
    }
    worker.postMessage('stop')
    await exit
    head.releaseReader(descriptor)
    expect(report?.failure).toBe('')
    expect(report?.queries).toBeGreaterThan(3)
  })

  it('that dies in mid-query is released by the writer', async () => {
    const head = new Head({ memoryBytesMax: 2 ** 28, now: () => nowMs })
    head.append(head.refByLabels(Labels.from({ __name__: 'm', i: '0', start: '0' })), nowMs - 3_600_000, 0, 0)
    head.commit()
    const descriptor = head.descriptor()
    const worker = new Worker(new URL('./head-reader.test-worker.ts', import.meta.url), { workerData: descriptor })
    await once(worker, 'online')
    // Until it is seen in the middle of a query.
    await expect.poll(() => Atomics.load(head.memory.control, 16 + descriptor.readerSlot), { interval: 1 }).not.toBe(0)
    await worker.terminate()
    head.releaseReader(descriptor)
    expect(head.descriptor().readerSlot).toBe(descriptor.readerSlot)
    expect(head.memory.control[16 + descriptor.readerSlot]).toBe(0)
  })
})

it('gives a sample column with the bits that were appended', () => {
  const head = new Head({ memoryBytesMax: 2 ** 28, now: () => nowMs })
  const ref = head.refByLabels(Labels.from({ __name__: 'm' }))
  head.append(ref, nowMs, 2, 0x7ff00000)
  head.commit()
  const set = new HeadReader(head.descriptor()).select([new Matcher('=', '__name__', 'm')], 0, Infinity)
  const columns = new SampleColumns()
  expect(set.next()).toBe(true)
  set.samples(columns)
  expect([...columns.words.subarray(0, 2)]).toEqual([2, 0x7ff00000])
})
