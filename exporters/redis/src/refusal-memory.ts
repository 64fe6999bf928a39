/** How long a command that a server refused is not sent again. */
export const refusalMs = 10 * 60_000
/** Refusals and warnings remembered; the oldest goes first. */
const rememberedMax = 10_000

/**
 * Remembers what servers refused (a managed Redis without CONFIG, a user without the right to it), so that scrapes do not fill the server's
 * error counts and logs with questions that have been answered.
 */
export class RefusalMemory {
  readonly #untilMs = new Map<string, number>()
  readonly #nowMs: () => number

  /** `nowMs` is a monotonic clock. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  isRefused(server: string, command: string): boolean {
    const until = this.#untilMs.get(keyOf(server, command))
    return until !== undefined && this.#nowMs() < until
  }

  /** True if it is worth a line: the first time, and when it had been over for as long as a command is not sent again. */
  remember(server: string, command: string): boolean {
    const key = keyOf(server, command)
    const nowMs = this.#nowMs()
    const known = this.#untilMs.get(key)
    this.#untilMs.delete(key)
    this.#untilMs.set(key, nowMs + refusalMs)
    if (this.#untilMs.size > rememberedMax) this.#untilMs.delete(this.#untilMs.keys().next().value!)
    return known === undefined || nowMs >= known + refusalMs
  }
}

/** True for an error that the same command will get again: the server does not know it, or the user may not use it. */
export function isLasting(error: string): boolean {
  return /^NOPERM|^ERR unknown (sub)?command|unknown subcommand|^ERR This instance has cluster support disabled|not supported/i.test(error)
}

function keyOf(server: string, command: string): string {
  return `${server}\0${command}`
}
