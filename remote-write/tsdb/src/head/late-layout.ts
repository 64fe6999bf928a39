import { lateActiveAt, lateHistogramsActiveAt, lateHistogramsSealedAt, lateSealedAt } from './head-memory.ts'
import type { HeadMemory } from './head-memory.ts'
import { wordMask, wordShift } from './shared-arena.ts'

// Late samples are kept in generations, as they came, floats and histograms in generations of their own. A generation is a directory of pages, a page
// the places of the records of 16,384 series, a record leads to the pieces with the samples of a series, the newest first.
const pageShift = 14
export const pageWords = 1 << pageShift
/** Pages for all references that a head can give out. */
export const directoryWords = 1 << 14

// A record is 16 words:
// ┌ newest piece ┬ samples written, pending ones included ┬ samples ┬ samples before the last commit ┬ last commit ┬ the one before ┬
//   first time, double ┬ last time, double ┬ - ┐
export const lateRecordWords = 16
export const lateNewestPiece = 0
export const lateWritten = 1
export const lateTotal = 2
export const latePreviousTotal = 3
export const lateLastCommit = 4
export const latePreviousCommit = 5
export const lateFirstTime = 6
export const lateLastTime = 8

// A piece: ┌ older piece ┬ samples of the series before ┬ room ┬ - ┬ first time, double ┬ last time, double ┬ samples ┐
// A float: ┌ time, double ┬ low ┬ high ┐ ; a histogram: ┌ time, double ┬ place of its payload (late-payloads.ts) ┬ hash ┐
export const pieceHeaderWords = 8
export const pieceOlder = 0
export const pieceFirstOrdinal = 1
export const pieceRoom = 2
export const pieceFirstTime = 4
export const pieceLastTime = 6
export const lateSampleWords = 4
/** The first piece of a series; each further one is twice as long, up to the largest. */
export const pieceWordsMin = 32
export const pieceWordsMax = 256

/** Words of the control block that have the directories of one kind's generations. */
export interface LatePlaces {
  readonly sealedAt: number
  readonly activeAt: number
}

export const lateFloatPlaces: LatePlaces = { sealedAt: lateSealedAt, activeAt: lateActiveAt }
export const lateHistogramPlaces: LatePlaces = { sealedAt: lateHistogramsSealedAt, activeAt: lateHistogramsActiveAt }

/** A generation that is there. */
export interface LateGeneration {
  readonly directory: number
  readonly isSealed: boolean
  readonly hasHistograms: boolean
}

/** The generations that are there, of each kind the sealed one first. */
export function listLateGenerations({ control }: HeadMemory): LateGeneration[] {
  const generations: LateGeneration[] = []
  for (const { sealedAt, activeAt } of [lateFloatPlaces, lateHistogramPlaces]) {
    for (const at of [sealedAt, activeAt]) {
      const directory = control[at]! >>> 0
      if (directory === 0) continue
      generations.push({ directory, isSealed: at === sealedAt, hasHistograms: sealedAt === lateHistogramsSealedAt })
    }
  }
  return generations
}

/** The record of a series in a generation, 0 if it has none. For any thread. */
export function findLateRecord(memory: HeadMemory, directory: number, ref: number): number {
  const page = memory.late.window(directory >>> wordShift)[(directory & wordMask) + (ref >>> pageShift)]!
  return page === 0 ? 0 : memory.late.window(page >>> wordShift)[(page & wordMask) + (ref & (pageWords - 1))]!
}

/** Where a page of a generation has its place, for one of the series of the page. */
export function placeOfPage(directory: number, ref: number): number {
  return directory + (ref >>> pageShift)
}
