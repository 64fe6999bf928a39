import type { AnswerHead } from '@narthex/http/direct-client/answer-head'
import { Exchanger, type DirectClient, type DirectRequest, type ExchangeTaker } from '@narthex/http/direct-client/direct-client'
import { KeptDeadline } from '@narthex/http/kept-deadline'
import type { PageRequest, TakeAnswer } from './nginx-client.ts'

/** Stands for the answer of a server that says that the page is somewhere else. */
export const isElsewhere = Symbol('is elsewhere')

/** Exchanges that are kept for further scrapes; more than that seldom run at once. */
const idleMax = 2

/** One page, asked for again and again over plain HTTP. */
export class DirectPage {
  readonly #client: DirectClient
  readonly #request: DirectRequest
  readonly #idle: PageExchange[] = []

  constructor(client: DirectClient, request: DirectRequest) {
    this.#client = client
    this.#request = request
  }

  /** Rejects with one line if there is no answer, and with what `take` throws. */
  ask<T>({ bodyBytesMax, timeoutMs }: PageRequest, take: TakeAnswer<T>): Promise<T | typeof isElsewhere> {
    const exchange = this.#idle.pop() ?? new PageExchange(this.#client, this.#giveBack)
    return new Promise<unknown>((resolve, reject) => {
      exchange.begin({ take, resolve, reject, bodyBytesMax }, this.#request, timeoutMs)
    }) as Promise<T | typeof isElsewhere>
  }

  readonly #giveBack = (exchange: PageExchange): void => {
    if (this.#idle.length < idleMax) this.#idle.push(exchange)
  }
}

/** Who waits for an answer. */
interface Asker {
  readonly take: TakeAnswer<unknown>
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
  readonly bodyBytesMax: number
}

class PageExchange implements ExchangeTaker {
  readonly wantsHeaders = false
  readonly #exchanger: Exchanger
  readonly #giveBack: (exchange: PageExchange) => void
  #asker: Asker | undefined
  #answer: unknown

  constructor(client: DirectClient, giveBack: (exchange: PageExchange) => void) {
    this.#exchanger = new Exchanger(client, 0, this, new KeptDeadline())
    this.#giveBack = giveBack
  }

  begin(asker: Asker, request: DirectRequest, timeoutMs: number): void {
    this.#asker = asker
    this.#exchanger.start(request, '', undefined, timeoutMs)
  }

  get bodyBytesMax(): number {
    return this.#asker!.bodyBytesMax
  }

  wantsBody(): boolean {
    return true
  }

  open(): undefined {
    return undefined
  }

  take({ status, location }: AnswerHead, body: Uint8Array): void {
    const isRedirect = status >= 301 && status <= 308 && location !== undefined
    this.#answer = isRedirect ? isElsewhere : this.#asker!.take(status, body)
  }

  onEnd(error: unknown): void {
    const { resolve, reject } = this.#asker!
    const answer = this.#answer
    this.#asker = this.#answer = undefined
    this.#giveBack(this)
    if (error === undefined) resolve(answer)
    else reject(error)
  }
}
