import { noFamily, type SeriesLayout } from '@narthex/agent/store/frame'
import type { FrameColumns, FrameRef } from '@narthex/agent/store/sample-frame'
import { ensure } from './fuzz-target.ts'

// What senders rely on without looking: places in arrays and buffers.

export function ensureLayout({ seriesRefs, seriesRefOffsets, seriesCount, families, familyOfSeries }: SeriesLayout): void {
  ensure(seriesRefOffsets.length === seriesCount + 1, 'a layout has other offsets than series')
  ensureAscending(seriesRefOffsets, seriesCount + 1, 'offsets of series')
  ensure(seriesRefOffsets[seriesCount] === seriesRefs.length, 'references do not end with the last series')
  for (const family of familyOfSeries ?? []) ensure(family === noFamily || family < families.length, `there is no family ${family}`)
}

export function ensureColumns({ layout, count, start, end }: FrameRef, columns: FrameColumns): void {
  const { histograms, exemplars } = columns
  ensure(columns.count === count && columns.words.length >= 2 * count, `${count} samples have ${columns.words.length} words`)
  ensure(columns.hasIndexes || count <= layout.seriesCount, 'more samples than series')
  for (let i = 0; i < count; i++) {
    if (columns.hasIndexes) ensure(columns.indexes[i]! < layout.seriesCount, `sample ${i} is of series ${columns.indexes[i]}`)
    if (columns.hasTimes) ensure(Number.isFinite(columns.times[i]), `sample ${i} has time ${columns.times[i]}`)
    if (columns.hasStartTimes) ensure(columns.startTimes[i]! >= 0, `sample ${i} starts at ${columns.startTimes[i]}`)
  }
  for (const part of [histograms, exemplars]) {
    ensureAscending(part.positions, part.count, 'positions')
    ensure(part.count === 0 || part.positions[part.count - 1]! < count, 'a position is behind the last sample')
    if (part.count === 0) continue
    ensureAscending(part.offsets, part.count + 1, 'offsets')
    ensure(part.offsets[0]! >= start && part.offsets[part.count]! <= end, 'an offset lies outside the frame')
  }
}

function ensureAscending(numbers: Uint32Array, count: number, what: string): void {
  for (let i = 1; i < count; i++) ensure(numbers[i]! >= numbers[i - 1]!, `${what} go back`)
}
