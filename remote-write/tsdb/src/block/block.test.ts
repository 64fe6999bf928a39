import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Matcher } from '@narthex/model/matcher'
import type { MatchType } from '@narthex/model/matcher'
import { BlockReader } from './block-reader.ts'
import { compareLabels, describeSeries, readLines, writeBlock } from './block.test-blocks.ts'
import type { Sample, TestSeries } from './block.test-blocks.ts'
import { compareBytes, toText } from './byte-order.ts'
import { PageCache } from './page-cache.ts'
import { BlockSeries } from './series-entry.ts'

let parent = ''
beforeAll(() => {
  parent = mkdtempSync(join(tmpdir(), 'narthex-block-'))
})
afterAll(() => rmSync(parent, { recursive: true, force: true }))

const anyText = fc.oneof(
  fc.constantFrom('a', 'b', '__name__', 'job', 'ü', '\u{10000}', '\uffee'),
  fc.string({ minLength: 1, maxLength: 5 }),
)
const anyBytes = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 6 }),
  anyText.map((text) => new TextEncoder().encode(text)),
)
const anyChunks = fc
  .array(fc.array(fc.tuple(fc.integer({ min: 1, max: 1e6 }), fc.double()), { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 4 })
  .chain((chunks) => fc.integer({ min: -1e13, max: 1e13 }).map((start) => toChunks(start, chunks)))
const anySeries = fc
  .array(
    fc.record({
      pairs: fc.uniqueArray(fc.tuple(anyBytes, anyBytes), {
        minLength: 1,
        maxLength: 5,
        comparator: (a, b) => compareBytes(a[0], b[0]) === 0,
      }),
      chunks: anyChunks,
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((series) => unique(series.map(({ pairs, chunks }) => ({ labels: pairs.sort((a, b) => compareBytes(a[0], b[0])).flat(), chunks }))))

function toChunks(start: number, chunks: readonly (readonly Sample[])[]): Sample[][] {
  let timeMs = start
  return chunks.map((samples) => samples.map(([step, value]) => [(timeMs += step), value]))
}

function unique(series: readonly TestSeries[]): TestSeries[] {
  const sorted = [...series].sort((a, b) => compareLabels(a.labels, b.labels))
  return sorted.filter(({ labels }, i) => i === 0 || compareLabels(labels, sorted[i - 1]!.labels) !== 0)
}

/** `count` series with a common label, one of 10 values, one of its own, and another on every third. */
function manySeries(count: number): TestSeries[] {
  const series = Array.from({ length: count }, (_, i): TestSeries => ({
    labels: ['__name__', 'm', 'group', `g${i % 10}`, 'id', String(i).padStart(5, '0'), ...(i % 3 === 0 ? ['third', 'x'] : [])],
    chunks: [[[1000 + i, i]]],
  }))
  return unique(series)
}

describe('a block that was written', () => {
  it('has every byte of labels and samples, over several chunk files and pieces of postings', async () => {
    await fc.assert(
      fc.asyncProperty(anySeries, async (series) => {
        const directory = await writeBlock(parent, series, { chunkFileBytesMax: 300, postingsAtOnceMax: 20 })
        const block = BlockReader.open(directory, new PageCache())
        try {
          expect(readLines(block)).toEqual(describeSeries(series))
          expect(block.verify()).toEqual([])
        } finally {
          block.close()
          rmSync(directory, { recursive: true })
        }
      }),
      { numRuns: 40 },
    )
  })

  it('is split into files of the given size', async () => {
    const directory = await writeBlock(parent, manySeries(100), { chunkFileBytesMax: 300 })
    const files = readdirSync(join(directory, 'chunks'))
    expect(files.length).toBeGreaterThan(5)
    expect(files[0]).toBe('000001')
  })

  it('selects as a scan over all series does', async () => {
    const series = manySeries(700)
    const block = BlockReader.open(await writeBlock(parent, series), new PageCache(0))
    const all = block.select([])
    const anyMatcher = fc
      .tuple(
        fc.constantFrom<MatchType>('=', '!=', '=~', '!~'),
        fc.constantFrom('__name__', 'group', 'id', 'third', 'none'),
        fc.constantFrom(
          '',
          'm',
          'g1',
          'g1|g7',
          'g[2-5]',
          '.*',
          '.+',
          'x',
          'x|',
          '00001',
          '00.*',
          '00000',
          '01999',
          '02000',
          '00031|00032|00033',
        ),
      )
      .map(([type, name, value]) => new Matcher(type, name, value))
    fc.assert(
      fc.property(fc.array(anyMatcher, { minLength: 1, maxLength: 3 }), (matchers) => {
        const wanted = all.filter((_, i) => matchers.every((matcher) => matcher.matches(valueOf(series[i]!, matcher.name))))
        expect(block.select(matchers)).toEqual(wanted)
        const names = new Set<string>()
        const read = new BlockSeries()
        for (const reference of wanted) {
          block.readSeries(reference, read)
          for (let i = 0; i < read.labelCount; i++) names.add(toText(block.symbol(read.labels[2 * i]!)))
        }
        expect(block.labelNames(matchers)).toEqual([...names].sort())
        const chosen = series.filter((one) => matchers.every((matcher) => matcher.matches(valueOf(one, matcher.name))))
        for (const name of ['group', 'id', 'third', 'none']) {
          const values = new Set(chosen.map((one) => valueOf(one, name)).filter((value) => value !== ''))
          expect(block.labelValues(name, matchers)).toEqual([...values].sort())
        }
      }),
      { numRuns: 150 },
    )
    expect(block.labelNames()).toEqual(['__name__', 'group', 'id', 'third'])
    expect(block.labelValues('id')).toEqual(series.map((one) => valueOf(one, 'id')).sort())
    expect(block.labelValues('group', [new Matcher('=~', 'id', '0000.')])).toEqual([
      'g0',
      'g1',
      'g2',
      'g3',
      'g4',
      'g5',
      'g6',
      'g7',
      'g8',
      'g9',
    ])
    expect(block.labelValues('none')).toEqual([])
    block.close()
  })

  it('can be read to the end when it was deleted meanwhile', async () => {
    const series = manySeries(100)
    const directory = await writeBlock(parent, series, { chunkFileBytesMax: 300 })
    const block = BlockReader.open(directory, new PageCache())
    rmSync(directory, { recursive: true })
    expect(readLines(block)).toEqual(describeSeries(series))
    block.close()
  })

  it('asks whether to go on while it selects', async () => {
    const block = BlockReader.open(await writeBlock(parent, manySeries(1100)), new PageCache())
    const giveUp = (): void => {
      throw new Error('given up')
    }
    const long = [new Matcher('=~', 'id', '.*9')]
    expect(block.select(long, () => {})).toHaveLength(110)
    expect(() => block.select(long, giveUp)).toThrow('given up')
    expect(() => block.labelNames([new Matcher('=', '__name__', 'm')], giveUp)).toThrow('given up')
    expect(() => block.labelValues('id', [new Matcher('=', '__name__', 'm')], giveUp)).toThrow('given up')
    block.close()
  })
})

function valueOf({ labels }: TestSeries, name: string): string {
  const at = labels.findIndex((text, i) => i % 2 === 0 && text === name)
  return at < 0 ? '' : (labels[at + 1] as string)
}
