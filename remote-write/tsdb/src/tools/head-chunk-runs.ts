import { closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { decodeChunk } from '../chunk/decode-chunk.ts'
import { ChunkError } from '../chunk/xor-decoder.ts'
import type { StoredPlace } from '../chunk/open-chunk.ts'
import { chunkEntryBytes, entryStartBytes, readChunkEntry } from '../head-chunks/chunk-entry.ts'
import { HeadChunkReader } from '../head-chunks/head-chunk-reader.ts'
import { checkFileHeader, fileHeaderBytes, HeadChunkError, listHeadChunkFiles } from '../head-chunks/head-chunk-format.ts'
import type { SeriesMap } from '../wal/series-map.ts'
import { cutIntervals } from './cut-intervals.ts'
import { SampleRun } from './sample-run.ts'
import type { RunSource } from './sample-run.ts'

/** Most chunks have some hundred bytes. */
const scanBytes = 4096

/** Where a chunk is, and its times. */
interface Place extends StoredPlace {
  readonly minTimeMs: number
  readonly maxTimeMs: number
  readonly isOutOfOrder: boolean
}

/**
 * The head chunks of a data directory by series, for reading only. Chunks in order are in the log as well, unless that was cut. Memory: a
 * place for each chunk. Files end at the first bytes that are no chunk, which `problems` tells.
 */
export class HeadChunkRuns {
  readonly problems: string[] = []
  readonly #places = new Map<number, Place[]>()
  readonly #reader: HeadChunkReader
  readonly #minTimeMs: number
  readonly #runs: SampleRun[] = []

  /** `map` gives the references of the log's series; samples in order before `minTimeMs` are in blocks. */
  constructor(directory: string, map: SeriesMap, minTimeMs: number) {
    const path = join(directory, 'chunks_head')
    this.#reader = new HeadChunkReader(path)
    this.#minTimeMs = minTimeMs
    if (!existsSync(path)) return
    for (const { file, path: filePath } of listHeadChunkFiles(path)) {
      try {
        this.#scan(filePath, file, map)
      } catch (error) {
        if (!(error instanceof HeadChunkError)) throw error
        this.problems.push(`${error.message}; the rest of the head chunks is left out`)
        return
      }
    }
  }

  close(): void {
    this.#reader.close()
  }

  /** As few sources as there can be: within one no chunks overlap. Their runs are valid until the next call. */
  runs(ref: number, minTimeMs: number, maxTimeMs: number, intervals: readonly number[] | undefined): RunSource[] {
    const fromOf = ({ isOutOfOrder }: Place): number => (isOutOfOrder ? minTimeMs : Math.max(minTimeMs, this.#minTimeMs))
    const lanes: Place[][] = []
    const places = (this.#places.get(ref) ?? []).filter((place) => place.maxTimeMs >= fromOf(place) && place.minTimeMs <= maxTimeMs)
    for (const place of places.sort((a, b) => a.minTimeMs - b.minTimeMs)) {
      const lane = lanes.find((each) => each.at(-1)!.maxTimeMs < place.minTimeMs)
      if (lane === undefined) lanes.push([place])
      else lane.push(place)
    }
    return lanes.map((lane, i) => {
      const run = (this.#runs[i] ??= new SampleRun())
      let at = 0
      const nextRun = (): boolean => {
        run.clear()
        const place = lane[at++]
        if (place === undefined) return false
        this.#read(place, run, fromOf(place), maxTimeMs)
        if (intervals !== undefined) cutIntervals(run, intervals)
        return true
      }
      return { run, nextRun }
    })
  }

  #read(place: Place, run: SampleRun, fromMs: number, toMs: number): void {
    try {
      const { encoding, data } = this.#reader.read(place)
      decodeChunk(encoding, data, run, fromMs, toMs)
    } catch (error) {
      if (!(error instanceof ChunkError || error instanceof HeadChunkError)) throw error
      this.problems.push(`chunk at offset ${place.offset} of head chunk file ${place.file} is left out: ${error.message}`)
    }
  }

  #scan(path: string, file: number, map: SeriesMap): void {
    const fd = openSync(path, 'r')
    try {
      const { size } = fstatSync(fd)
      let buffer = new Uint8Array(scanBytes)
      checkFileHeader(path, buffer.subarray(0, readSync(fd, buffer, 0, fileHeaderBytes, 0)))
      for (let offset = fileHeaderBytes; offset < size;) {
        let count = readSync(fd, buffer, 0, Math.min(buffer.length, size - offset), offset)
        const length = chunkEntryBytes(path, offset, buffer, 0, Math.min(count, entryStartBytes))
        if (length === 0) return
        if (length > size - offset) throw new HeadChunkError(path, offset, `want ${length} bytes, got ${size - offset}`)
        if (length > buffer.length) buffer = new Uint8Array(length)
        if (length > count) count = readSync(fd, buffer, 0, length, offset)
        const { seriesRef, minTimeMs, maxTimeMs, isOutOfOrder } = readChunkEntry(path, file, offset, buffer, 0, length)
        const ref = map.get(seriesRef)
        if (ref > 0) this.#add(ref, { file, offset, bytes: length, minTimeMs, maxTimeMs, isOutOfOrder })
        offset += length
      }
    } finally {
      closeSync(fd)
    }
  }

  #add(ref: number, place: Place): void {
    const places = this.#places.get(ref)
    if (places === undefined) this.#places.set(ref, [place])
    else places.push(place)
  }
}
