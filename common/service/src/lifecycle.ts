import { setUncaughtExceptionCaptureCallback } from 'node:process'
import { giveUpFirstBuffer } from './compiler.ts'
import type { Logger } from './logger.ts'
import { PrintAndExit } from './user-error.ts'

/** A part that was started and can be stopped. */
export interface Stoppable {
  readonly name: string
  /** Ends the part within about `graceMs`, or the time that it asks for by `prolong`. */
  stop: StopPart
}

/** `prolong`: what is left to be done of this part may take so long from now on, in milliseconds. */
export type StopPart = (graceMs: number, prolong: (ms: number) => void) => void | Promise<void>

export interface MainContext {
  /** Aborts when the program is asked to stop. */
  readonly signal: AbortSignal
  /** Registers a part that runs from now on; at the end the last one registered is stopped first. */
  onStop(name: string, stop: StopPart): void
  /** Called at SIGHUP (and by whoever calls `reload`), one call after the other. */
  onReload(reload: () => void | Promise<void>): void
  /** Runs the reloads as SIGHUP does; rejects with the first error. */
  reload(): Promise<void>
  /** Asks the program to stop, as SIGTERM does. `failure` makes the exit code not 0. */
  stop(failure?: Error): void
  /** Log lines about stopping go here once it is set. */
  setLog(log: Logger): void
}

export interface MainOptions {
  /** Time for all parts together to stop (5 s), unless one asks for more; then the process exits with code 1 and says which part was stuck. */
  readonly stopMs?: number
  readonly process?: MainProcess
}

/** What `runMain` needs of the process; replaced in tests. */
export interface MainProcess {
  on(event: string, listener: (reason: unknown) => void): unknown
  exit(code: number): void
  writeOut(text: string): void
  writeError(text: string): void
}

const ownProcess: MainProcess = {
  on: (event, listener) => process.on(event, listener),
  exit: (code) => process.exit(code),
  writeOut: (text) => void process.stdout.write(text),
  writeError: (text) => void process.stderr.write(text),
}

/**
 * Runs a program: `main` starts its parts and returns; the process lives until SIGTERM, SIGINT, `stop()` or a bug ends it. When `main`
 * registered nothing to stop, the program ends with it. A `UserError` is printed as one line and gives the exit code; any other error is
 * ours and is printed with its stack, code 2 when it came from the running program. A second signal exits at once.
 */
export function runMain(main: (context: MainContext) => void | Promise<void>, options: MainOptions = {}): Promise<number> {
  giveUpFirstBuffer()
  const host = options.process ?? ownProcess
  const stopMs = options.stopMs ?? 5_000
  const abort = new AbortController()
  const parts: Stoppable[] = []
  const reloads: (() => void | Promise<void>)[] = []
  const ended = Promise.withResolvers<number>()
  let log: Logger | undefined
  let stopping = false
  let reloading: Promise<void> = Promise.resolve()

  function fail(error: unknown): void {
    const code = printFailure(host, error)
    if (stopping) exit(code)
    else void stopAll(code)
  }

  function exit(code: number): void {
    ended.resolve(code)
    host.exit(code)
  }

  async function stopAll(code: number): Promise<void> {
    stopping = true
    abort.abort()
    let current = ''
    const startedMs = performance.now()
    const giveUp = (): void => {
      const waiting = parts.map(({ name }) => name).reverse()
      const running = [current, ...waiting].filter((name) => name !== '').join(', ')
      host.writeError(`cannot stop within ${limitMs} ms: ${running} still running\n`)
      exit(1)
    }
    let limitMs = stopMs
    let timer = setTimeout(giveUp, stopMs)
    const prolong = (ms: number): void => {
      const tookMs = performance.now() - startedMs
      limitMs = Math.max(limitMs, Math.ceil(tookMs + ms))
      clearTimeout(timer)
      timer = setTimeout(giveUp, limitMs - tookMs)
    }
    const wasRunning = parts.length > 0
    for (let part = parts.pop(); part !== undefined; part = parts.pop()) {
      current = part.name
      log?.debug('Stopping.', { part: current })
      try {
        await part.stop(Math.max(0, limitMs - 500 - (performance.now() - startedMs)), prolong)
      } catch (error) {
        code = printFailure(host, error)
      }
    }
    clearTimeout(timer)
    if (wasRunning) log?.info('See you next time!')
    exit(code)
  }

  const context: MainContext = {
    signal: abort.signal,
    // A part started while the end has begun already is ended by the loop of `stopAll`, or by the exit.
    onStop: (name, stop) => void parts.push({ name, stop }),
    onReload: (reload) => void reloads.push(reload),
    reload() {
      const turn = reloading.then(async () => {
        for (const reload of reloads) await reload()
      })
      reloading = turn.catch(() => undefined)
      return turn
    },
    stop(failure) {
      if (stopping) return
      if (failure !== undefined) fail(failure)
      else void stopAll(0)
    },
    setLog: (given) => {
      log = given
    },
  }

  const onSignal = (name: string): void => {
    if (stopping) return exit(1)
    log?.warn('Received an OS signal, exiting gracefully...', { signal: name })
    void stopAll(0)
  }
  host.on('SIGTERM', () => onSignal('terminated'))
  host.on('SIGINT', () => onSignal('interrupt'))
  host.on('SIGHUP', () => {
    context.reload().catch((error: unknown) => log?.error('Error reloading config', { err: error }))
  })
  if (host === ownProcess) setUncaughtExceptionCaptureCallback(fail)
  host.on('unhandledRejection', fail)

  Promise.resolve()
    .then(() => main(context))
    .then(() => {
      if (parts.length === 0 && !stopping) exit(0)
    }, fail)
  return ended.promise
}

/** Prints an error in the form its kind deserves and gives the exit code. */
function printFailure(host: MainProcess, error: unknown): number {
  if (error instanceof PrintAndExit) {
    host.writeOut(error.text)
    return error.exitCode
  }
  // A user error of any package: it says which exit code it wants.
  if (error instanceof Error && 'exitCode' in error && typeof error.exitCode === 'number') {
    host.writeError(`${error.message}\n`)
    return error.exitCode
  }
  // One line is enough for these too: the text names the file and the place, or the address.
  if (error instanceof Error && (error.name === 'ConfigError' || error.name === 'ListenError')) {
    host.writeError(`${error.message}\n`)
    return error.name === 'ConfigError' ? 2 : 1
  }
  host.writeError(`This is a bug in Narthex: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  return 2
}
