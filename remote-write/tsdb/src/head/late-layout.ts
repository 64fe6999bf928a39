import { lateActiveAt, lateSealedAt } from './head-memory.ts'
import type { HeadMemory } from './head-memory.ts'
import { wordMask, wordShift } from './shared-arena.ts'

// Late samples are kept in generations, as they came. A generation is a directory of pages, a page the places of the records of
// 16,384 series, a record leads to the pieces with the samples of a series, the newest first.
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
// A sample: ┌ time, double ┬ low ┬ high ┐
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

/** The generations that are there: directories of the sealed one and of the one that takes samples; 0 = none. */
export function lateDirectories({ control }: HeadMemory): readonly [sealed: number, active: number] {
  return [control[lateSealedAt]! >>> 0, control[lateActiveAt]! >>> 0]
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
