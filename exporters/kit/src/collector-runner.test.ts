import { FamilyWriter } from '@narthex/exposition/family-writer'
import { silentLogger } from '@narthex/service/logger'
import { afterEach, expect, test, vi } from 'vitest'
import { CollectorRunner } from './collector-runner.ts'
import { NoDataError, type CollectContext, type Collector } from './collector.ts'

function collector(name: string, collect: (context: CollectContext) => void | Promise<void>): Collector {
  return { name, defaultOn: true, collect }
}

function writeGauge({ writer }: CollectContext, name: string, value: number, labels?: readonly string[]): void {
  writer.family(name, 'Help.', 'gauge')
  writer.sample(value, labels)
}

const text = (families: FamilyWriter): string => Buffer.from(families.finish()).toString()

afterEach(() => {
  vi.useRealTimers()
})

test('a collector that throws fails alone and keeps what it wrote', async () => {
  const families = new FamilyWriter()
  const { outcomes } = await new CollectorRunner(silentLogger).run(
    [
      collector('broken', (context) => {
        writeGauge(context, 'a', 1)
        throw new Error('no')
      }),
      collector('empty', () => {
        throw new NoDataError('nothing here')
      }),
      collector('fine', (context) => writeGauge(context, 'b', 2)),
    ],
    families,
    1000,
  )
  expect(outcomes.map(({ name, isSuccess }) => [name, isSuccess])).toEqual([
    ['broken', false],
    ['empty', false],
    ['fine', true],
  ])
  expect(text(families)).toContain('a 1\n')
  expect(text(families)).toContain('b 2\n')
})

test('a collector that hangs costs its own families only, and is not started again until it answers', async () => {
  const runner = new CollectorRunner(silentLogger)
  const hangs: (() => void)[] = []
  let late: CollectContext | undefined
  const collectors = [
    collector('hung', (context) => {
      late = context
      return new Promise<void>((resolve) => hangs.push(resolve))
    }),
    collector('fine', (context) => writeGauge(context, 'fine', 1)),
  ]
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const first = new FamilyWriter()
  const running = runner.run(collectors, first, 50)
  await vi.advanceTimersByTimeAsync(50)
  const result = await running
  expect(result.outcomes.map(({ isSuccess }) => isSuccess)).toEqual([false, true])
  writeGauge(late!, 'late', 1)
  expect(text(first)).not.toContain('late')
  expect(late!.signal.aborted).toBe(true)

  await runner.run(collectors, new FamilyWriter(), 50)
  expect(hangs).toHaveLength(1)
  hangs[0]!()
  await new Promise((resolve) => setImmediate(resolve))
  const again = runner.run(collectors, new FamilyWriter(), 50)
  await vi.advanceTimersByTimeAsync(50)
  await again
  expect(hangs).toHaveLength(2)
})

test('collectors that write in turns do not mix up their families', async () => {
  const families = new FamilyWriter()
  const inTurns = (name: string): Collector =>
    collector(name, async ({ writer }) => {
      writer.family(name, 'Help.', 'gauge')
      for (let i = 0; i < 3; i++) {
        writer.sample(i, ['i', String(i)])
        await Promise.resolve()
      }
    })
  await new CollectorRunner(silentLogger).run([inTurns('a'), inTurns('b')], families, 1000)
  const samples = (name: string): string => [0, 1, 2].map((i) => `${name}{i="${i}"} ${i}\n`).join('')
  expect(text(families)).toBe(`# HELP a Help.\n# TYPE a gauge\n${samples('a')}# HELP b Help.\n# TYPE b gauge\n${samples('b')}`)
})

test('a family that contradicts the type of an earlier one is dropped and counted', async () => {
  const families = new FamilyWriter()
  const result = await new CollectorRunner(silentLogger).run(
    [
      collector('first', (context) => writeGauge(context, 'x', 1)),
      collector('second', ({ writer }) => {
        writer.family('x', 'Other.', 'counter')
        writer.sample(2, ['a', 'b'])
      }),
    ],
    families,
    1000,
  )
  expect(result.typeClashes).toBe(1)
  expect(text(families)).toBe('# HELP x Help.\n# TYPE x gauge\nx 1\n')
})
