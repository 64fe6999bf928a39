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
