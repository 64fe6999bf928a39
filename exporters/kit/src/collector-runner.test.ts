import { FamilyWriter } from '@narthex/exposition/family-writer'
import { createLogger, silentLogger } from '@narthex/service/logger'
import { afterEach, describe, expect, test, vi } from 'vitest'
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

describe('the log has a line when a collector', () => {
  /** What is logged above debug level while the same collector is run once per step. */
  async function logOf(steps: readonly (() => void | Promise<void>)[]): Promise<string[]> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const lines: string[] = []
    const log = createLogger({
      write: (line) => void lines.push(/level=(\w+) .*msg="([^"]*)"/.exec(line)!.slice(1).join(' ')),
      source: 'test',
    })
    const runner = new CollectorRunner(log)
    let step = steps[0]!
    const collectors = [collector('one', () => step())]
    for (step of steps) {
      const running = runner.run(collectors, new FamilyWriter(), 50)
      await vi.advanceTimersByTimeAsync(50)
      await running
    }
    return lines
  }
  const fail = (text: string) => (): void => {
    throw new Error(text)
  }
  const hasNoData = (): void => {
    throw new NoDataError('nothing here')
  }
  const succeed = (): void => {}
  const takeTooLong = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 70))
  const hang = (): Promise<void> => new Promise(() => {})

  test('begins to fail, and none as long as it fails the same way', async () => {
    expect(await logOf([fail('no'), fail('no'), () => Promise.reject(new Error('no'))])).toEqual(['ERROR collector failed'])
  })

  test('fails for another reason', async () => {
    expect(await logOf([fail('no'), fail('never'), fail('never'), fail('no')])).toEqual(Array(3).fill('ERROR collector failed'))
  })

  test('succeeds again, and when it fails once more', async () => {
    const again = ['ERROR collector failed', 'INFO collector succeeds again', 'ERROR collector failed']
    expect(await logOf([succeed, fail('no'), succeed, succeed, fail('no')])).toEqual(again)
  })

  test('finds that there is nothing to show any more, and none where there never was', async () => {
    expect(await logOf([hasNoData, hasNoData])).toEqual([])
    expect(await logOf([fail('no'), hasNoData, hasNoData, fail('no')])).toEqual([
      'ERROR collector failed',
      'INFO collector returned no data',
      'ERROR collector failed',
    ])
  })

  test('has no end in time, and none at the scrapes that find it hanging', async () => {
    expect(await logOf([hang, hang, hang])).toEqual(['ERROR collector timed out'])
  })

  test('has no end in time, and none when it is started anew and has none again', async () => {
    // Every other scrape finds it hanging and is done at once; it has ended when the next comes.
    const steps = [takeTooLong, takeTooLong, takeTooLong, takeTooLong, takeTooLong, succeed, succeed]
    expect(await logOf(steps)).toEqual(['ERROR collector timed out', 'INFO collector succeeds again'])
  })

  test('fails before the deadline and then has no end in time', async () => {
    expect(await logOf([fail('no'), hang, hang])).toEqual(['ERROR collector failed', 'ERROR collector timed out'])
  })
})

test('a collector that fails because the deadline has passed has the same reason as one that is given up', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const lines: string[] = []
  const runner = new CollectorRunner(createLogger({ write: (line) => void lines.push(line), source: 'test' }))
  let scrapes = 0
  const query = collector('query', ({ signal }) => {
    const text = `query ${++scrapes} was aborted`
    return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error(text))))
  })
  for (let scrape = 0; scrape < 3; scrape++) {
    const running = runner.run([query], new FamilyWriter(), 50)
    await vi.advanceTimersByTimeAsync(50)
    await running
  }
  expect(scrapes).toBe(3)
  expect(lines).toHaveLength(1)
})
