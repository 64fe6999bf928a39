import type { AnswerWriter } from './answer-writer.ts'
import { givenBytesMin } from './query-protocol.ts'

// What answers of Prometheus' API have in common.

export function envelope(data: unknown, warnings: readonly string[]): string {
  return JSON.stringify({ status: 'success', data, ...(warnings.length === 0 ? {} : { warnings }) })
}

export const truncatedText = 'results truncated due to limit'

export function isCut(limit: number, series: number): boolean {
  return limit > 0 && series > limit
}

/** A large buffer goes to the other side itself, and may come back; of a small one a copy does. */
export function takeBody(buffer: AnswerWriter): Uint8Array {
  return buffer.length < givenBytesMin ? buffer.view().slice() : buffer.take()
}
