import { expect, test } from 'vitest'
import { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import { RemoteWrite2Writer } from '@narthex/wire/remote-write-2-writer'
import type { SeriesLayout } from '../store/frame.ts'
import { LayoutBuilder } from '../store/layout-builder.ts'
import { SymbolDictionary } from './symbol-dictionary.ts'

function makeLayout(target: number, series: number): SeriesLayout {
  const builder = new LayoutBuilder()
  for (let i = 0; i < series; i++) builder.addPairs(['__name__', 'm', 'instance', `host-${target}`, 'series', String(i)])
  return builder.build(target)
}

/** Builds a request of slices and reads back the labels of every series. */
function build(dictionary: SymbolDictionary, slices: readonly (readonly [SeriesLayout, number, number])[]) {
  const writer = new RemoteWrite2Writer()
  writer.setTime(1000)
  dictionary.beginRequest()
  for (const [layout, from, to] of slices) {
    const map = dictionary.addTo(writer, layout, from, to)
    writer.seriesRun(layout.seriesRefs, layout.seriesRefOffsets, from, to, map, new Uint32Array(2 * layout.seriesCount))
  }
  const reader = new RemoteWrite2Reader()
  const bytes = writer.view().slice()
  reader.read(bytes)
  return { symbols: reader.symbolCount, bytes: bytes.length }
}

test('texts that layouts share are in a request once', () => {
  const dictionary = new SymbolDictionary()
  const one = build(dictionary, [[makeLayout(1, 100), 0, 100]])
  const two = build(dictionary, [
    [makeLayout(1, 100), 0, 100],
    [makeLayout(2, 100), 0, 100],
  ])
  expect(two.symbols).toBe(one.symbols + 1)
})

test('a layout of many texts gives a request those of its own series only', () => {
  const dictionary = new SymbolDictionary()
  const layout = makeLayout(1, 20_000)
  const first = build(dictionary, [[layout, 0, 10]])
  const next = build(dictionary, [
    [layout, 10, 20],
    [layout, 15, 25],
  ])
  // "", __name__, m, instance, host-1, series, and a number for each series.
  expect([first.symbols, next.symbols]).toEqual([6 + 10, 6 + 15])
})

test('single series bring their own texts only, and go with whole layouts in one request', () => {
  const dictionary = new SymbolDictionary()
  const layouts = [makeLayout(1, 100), makeLayout(2, 100)]
  const build = (slices: readonly (readonly [layout: number, series: readonly number[] | undefined])[]) => {
    const writer = new RemoteWrite2Writer()
    writer.setTime(1000)
    dictionary.beginRequest()
    for (const [i, series] of slices) {
      const layout = layouts[i]!
      let map: Uint32Array | undefined
      for (const one of series ?? []) map = dictionary.addSeries(writer, layout, one)
      map ??= dictionary.addTo(writer, layout, 0, 100)
      for (const one of series ?? Array(100).keys())
        writer.seriesNow(layout.seriesRefs, layout.seriesRefOffsets[one]!, layout.seriesRefOffsets[one + 1]!, map, 0, 0)
    }
    const bytes = writer.view().slice()
    const reader = new RemoteWrite2Reader()
    reader.read(bytes)
    const text = (ref: number) => Buffer.from(bytes.subarray(reader.symbolStart[ref], reader.symbolEnd[ref])).toString()
    const labels = Array.from({ length: reader.seriesCount }, (_, i) =>
      [...reader.labelRefs.subarray(i === 0 ? 0 : reader.labelRefsEnd[i - 1], reader.labelRefsEnd[i])].map(text),
    )
    return { symbols: reader.symbolCount, series: labels.map((pairs) => `${pairs[3]}/${pairs[5]}`) }
  }
  // "", __name__, m, instance, series, host-1, 7, 9, host-2.
  expect(
    build([
      [0, [7, 9]],
      [1, [9]],
    ]),
  ).toEqual({ symbols: 9, series: ['host-1/7', 'host-1/9', 'host-2/9'] })
  for (const order of [
    [0, undefined, [3], [4]],
    [0, [3], undefined, [4]],
    [0, [3], [4], undefined],
  ] as const) {
    const [i, ...parts] = order
    const { symbols, series } = build(parts.map((part) => [i, part]))
    expect(symbols).toBe(6 + 100)
    expect(series.toSorted()).toEqual([...Array.from({ length: 100 }, (_, k) => `host-1/${k}`), 'host-1/3', 'host-1/4'].toSorted())
  }
  expect(
    build([
      [1, [5]],
      [0, undefined],
      [1, undefined],
    ]).series,
  ).toHaveLength(201)
})
