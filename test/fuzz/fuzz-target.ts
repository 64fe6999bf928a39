import type { Random } from './mutate.ts'

/** A reader of strangers' bytes: it may refuse with one of its own errors, and must do nothing else. */
export interface FuzzTarget {
  readonly name: string
  /** Valid inputs, the ground that mutations start from. */
  readonly seeds: readonly Uint8Array[]
  /** Names of the errors by which the reader refuses. */
  readonly refusals: readonly string[]
  /** It reads JSON: half of the inputs are seeds with other values instead of other bytes. */
  readonly isJson?: boolean
  /** Makes an input where changing seeds is not enough; default: a seed with some changes. */
  make?(random: Random): Uint8Array
  /** Inputs that `npm test` tries; what is slow (YAML, whatever stands behind a socket or a file) gets fewer. Default: 800. */
  readonly share?: number
  /** Throws InvariantError when what was read breaks a promise. */
  read(bytes: Uint8Array): void | Promise<void>
  /** Ends servers and removes files, after the last input. */
  close?(): void | Promise<void>
}

/** The reader took the input and gave something that it never gives. */
export class InvariantError extends Error {
  override name = 'InvariantError'
}

export function ensure(holds: boolean, claim: string): void {
  if (!holds) throw new InvariantError(claim)
}

export function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function decode(bytes: Uint8Array): string {
  return new TextDecoder('utf-8').decode(bytes)
}

export function encodeJson(value: unknown): Uint8Array {
  return encode(JSON.stringify(value))
}

/** Calls `take` with the bytes in pieces of a size, as a network might bring them. */
export function eachPiece(bytes: Uint8Array, pieceBytes: number, take: (piece: Uint8Array) => void): void {
  for (let at = 0; at < bytes.length; at += pieceBytes) take(bytes.subarray(at, at + pieceBytes))
}
