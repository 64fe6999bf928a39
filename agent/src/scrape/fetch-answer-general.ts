import type { HttpResponseHead, ResponseSink } from '@narthex/http/client'
import { skippedBytesMax, streamBytesMin } from '@narthex/http/direct-client/answer-reader'
import type { PieceTaker } from '@narthex/http/direct-client/answer-reader'
import { bodyTooLarge } from './fetch-answer-intake.ts'
import type { AnswerIntake } from './fetch-answer-intake.ts'

/** Gives an answer of the general client to an intake: what is large as it comes, what is not when it is whole. */
export class GeneralAnswer implements ResponseSink {
  readonly #intake: AnswerIntake
  readonly #bytesMax: number
  #head: HttpResponseHead | undefined
  readonly #chunks: Uint8Array[] = []
  #bytes = 0
  #pieces: PieceTaker | undefined
  #isAsked = false
  /** What the intake threw: the client words it as its own. */
  failure: unknown

  /** `bytesMax` is of the body as it is sent. */
  constructor(intake: AnswerIntake, bytesMax: number) {
    this.#intake = intake
    this.#bytesMax = bytesMax
  }

  /** Of the last hop; 0 while it has not come. */
  get status(): number {
    return this.#head?.status ?? 0
  }

  onHead(head: HttpResponseHead): void {
    this.#head = head
  }

  onData(chunk: Uint8Array): void {
    this.#bytes += chunk.length
    // The body of a failure does not matter, and is not waited for without end.
    if (this.status !== 200) {
      if (this.#bytes > skippedBytesMax) throw new Error('the body of a failure is too large')
      return
    }
    try {
      if (this.#bytes > this.#bytesMax) throw bodyTooLarge()
      this.#takePiece(chunk)
    } catch (error) {
      this.failure = error
      throw error
    }
  }

  /** The answer, of status 200, is whole. */
  end(): void {
    if (this.#pieces !== undefined) return this.#intake.end()
    const body = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks)
    this.#intake.take(this.#field('content-type'), this.#field('content-encoding'), body)
  }

  #takePiece(chunk: Uint8Array): void {
    if (this.#pieces !== undefined) return this.#pieces.push(chunk)
    this.#chunks.push(chunk)
    if (this.#bytes <= streamBytesMin || this.#isAsked) return
    this.#isAsked = true
    this.#pieces = this.#intake.open(this.#field('content-type'), this.#field('content-encoding'))
    if (this.#pieces === undefined) return
    for (const piece of this.#chunks.splice(0)) this.#pieces.push(piece)
  }

  #field(name: string): string {
    const value = this.#head?.headers[name]
    return (typeof value === 'object' ? value[0] : value) ?? ''
  }
}
