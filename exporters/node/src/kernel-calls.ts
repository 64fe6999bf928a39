import { NoDataError } from '@narthex/exporter-kit/collector'
import type { Logger } from '@narthex/service/logger'
import { loadSystemCalls, type SystemCalls } from './netlink/system-calls.ts'

export type LoadSystemCalls = () => SystemCalls

/** The system calls of one collector: loaded by its first scrape, and if they cannot be had, said so once in the log. */
export class KernelCalls {
  readonly #name: string
  readonly #log: Logger
  readonly #load: LoadSystemCalls
  #calls: SystemCalls | undefined
  #refusal: Error | undefined

  constructor(name: string, log: Logger, load: LoadSystemCalls = loadSystemCalls) {
    this.#name = name
    this.#log = log
    this.#load = load
  }

  /** Throws a NoDataError where foreign functions cannot be called. */
  get(): SystemCalls {
    const calls = this.find()
    if (calls === undefined) throw new NoDataError('foreign functions cannot be called', { cause: this.#refusal })
    return calls
  }

  /** Undefined where foreign functions cannot be called. */
  find(): SystemCalls | undefined {
    if (this.#calls !== undefined || this.#refusal !== undefined) return this.#calls
    try {
      return (this.#calls = this.#load())
    } catch (error) {
      this.#refusal = error as Error
      this.#log.warn('collector cannot ask the kernel directly', { name: this.#name, err: error })
      return undefined
    }
  }
}
