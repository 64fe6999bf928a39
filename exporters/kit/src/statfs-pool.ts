import type { Logger } from '@narthex/service/logger'
import type { ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { FailureMemory, reasonOf } from './failure-memory.ts'
import { formatRequest, parseAnswer, type StatfsAnswer } from './statfs-helper.ts'

/** Helpers that may hang at once, each on a mount of its own. When all hang, mounts that might hang too are not asked. */
export const stuckHelpersMax = 4

/** Starts a process that runs `runStatfsHelper`, with pipes as standard input and output. */
export type SpawnHelper = () => ChildProcess

export type PooledAnswer = StatfsAnswer | 'timeout'

interface Request {
  readonly pathBytes: string
  readonly settle: (answer: PooledAnswer) => void
}

/** Runs the helper from the sources beside this file; what is bundled starts itself instead. */
export function spawnHelperFromSource(): ChildProcess {
  const main = fileURLToPath(new URL('./statfs-helper-main.ts', import.meta.url))
  return process
    .getBuiltinModule('node:child_process')
    .spawn(process.execPath, ['--max-old-space-size=16', main], { stdio: ['pipe', 'pipe', 'ignore'] })
}

/**
 * Asks statfs(2) of mounts that may hang, through helper processes: a call that hangs can be neither cancelled nor waited for. One helper
 * does all mounts in turn. When it hangs it is left behind with that one mount, which counts as stuck until the helper answers after all,
 * and a new one takes over. Nothing is started before the first request.
 */
export class StatfsPool {
  readonly #spawn: SpawnHelper
  readonly #mountTimeoutMs: number
  readonly #log: Logger
  readonly #pending = new Map<string, Promise<PooledAnswer>>()
  readonly #stuck = new Map<string, Helper>()
  readonly #failures = new FailureMemory()
  #active: Helper | undefined
  #isClosed = false

  constructor(spawnHelper: SpawnHelper, mountTimeoutMs: number, log: Logger) {
    this.#spawn = spawnHelper
    this.#mountTimeoutMs = mountTimeoutMs
    this.#log = log
  }

  /** Process ids of the helpers that run now. */
  get helperIds(): number[] {
    return [this.#active, ...this.#stuck.values()].flatMap((helper) => helper?.processId ?? [])
  }

  /** Never rejects; settles within the mount timeout per request that is queued before it. Same paths share one call. */
  ask(pathBytes: string): Promise<PooledAnswer> {
    if (this.#stuck.has(pathBytes)) return Promise.resolve('timeout')
    const pending = this.#pending.get(pathBytes)
    if (pending !== undefined) return pending
    const promise = new Promise<PooledAnswer>((settle) => this.#send({ pathBytes, settle }))
    this.#pending.set(pathBytes, promise)
    void promise.then(() => this.#pending.delete(pathBytes))
    return promise
  }

  /** Ends the helpers without waiting for those that hang. */
  close(): void {
    this.#isClosed = true
    this.#active?.end()
    for (const helper of this.#stuck.values()) helper.end()
    this.#active = undefined
    this.#stuck.clear()
  }

  #send(request: Request): void {
    if (this.#active === undefined) {
      if (this.#isClosed || this.#stuck.size >= stuckHelpersMax) {
        request.settle('timeout')
        return
      }
      this.#active = this.#start()
    }
    this.#active.send(request)
  }

  #start(): Helper {
    const helper: Helper = new Helper(this.#spawn(), this.#mountTimeoutMs, {
      onStuck: (pathBytes, waiting) => {
        this.#log.debug('Mount point timed out, it is being labeled as stuck and will not be monitored', { mountpoint: pathBytes })
        if (this.#active === helper) this.#active = undefined
        this.#stuck.set(pathBytes, helper)
        for (const request of waiting) this.#send(request)
      },
      onRecovered: (pathBytes) => {
        this.#log.debug('Mount point has recovered, monitoring will resume', { mountpoint: pathBytes })
        this.#stuck.delete(pathBytes)
        // It still has requests to answer that went to another helper meanwhile.
        helper.end()
      },
      onExit: (reason) => {
        if (this.#failures.isNews('helper', reasonOf(reason))) this.#log.warn('statfs helper ended', { err: reason })
        if (this.#active === helper) this.#active = undefined
        for (const [path, stuck] of this.#stuck) if (stuck === helper) this.#stuck.delete(path)
      },
    })
    return helper
  }
}

interface HelperEvents {
  /** The first request got no answer in time; the ones behind it are given back. */
  onStuck(pathBytes: string, waiting: readonly Request[]): void
  /** The request that was stuck has been answered. */
  onRecovered(pathBytes: string): void
  /** It ended by itself; what it was asked has failed. */
  onExit(reason: Error): void
}

class Helper {
  readonly #child: ChildProcess
  readonly #mountTimeoutMs: number
  readonly #events: HelperEvents
  #queue: Request[] = []
  #stuckPath: string | undefined
  #timer: NodeJS.Timeout | undefined
  #rest = ''
  #hasExited = false

  constructor(child: ChildProcess, mountTimeoutMs: number, events: HelperEvents) {
    this.#child = child
    this.#mountTimeoutMs = mountTimeoutMs
    this.#events = events
    child.on('error', (error) => this.#exit(error))
    child.on('exit', (code, signal) => this.#exit(new Error(`want it to run on, got exit code ${code}, signal ${signal}`)))
    child.stdin!.on('error', () => {}) // `exit` tells
    child.stdout!.setEncoding('latin1').on('data', (chunk: string) => this.#read(chunk))
    // A helper must not keep this process alive.
    child.unref()
    for (const stream of [child.stdin, child.stdout]) if (stream instanceof Socket) stream.unref()
  }

  get processId(): number | undefined {
    return this.#child.pid
  }

  send(request: Request): void {
    this.#queue.push(request)
    this.#child.stdin!.write(formatRequest(request.pathBytes))
    if (this.#queue.length === 1) this.#startTimer()
  }

  end(): void {
    if (!this.#hasExited) this.#settleAll()
    this.#child.kill('SIGKILL')
  }

  #startTimer(): void {
    clearTimeout(this.#timer)
    this.#timer = this.#queue.length === 0 ? undefined : setTimeout(() => this.#giveUpFirst(), this.#mountTimeoutMs)
  }

  #giveUpFirst(): void {
    const [first, ...waiting] = this.#queue
    this.#queue = []
    this.#stuckPath = first!.pathBytes
    first!.settle('timeout')
    this.#events.onStuck(first!.pathBytes, waiting)
  }

  #read(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n')
    this.#rest = lines.pop()!
    for (const line of lines) {
      if (this.#hasExited) return
      this.#readAnswer(line)
    }
  }

  #readAnswer(line: string): void {
    if (this.#stuckPath !== undefined) {
      this.#events.onRecovered(this.#stuckPath)
      return
    }
    try {
      const answer = parseAnswer(line)
      this.#queue.shift()?.settle(answer)
      this.#startTimer()
    } catch (error) {
      this.#exit(error instanceof Error ? error : new Error(String(error)))
      this.#child.kill('SIGKILL')
    }
  }

  #exit(reason: Error): void {
    if (this.#hasExited) return
    this.#settleAll()
    this.#events.onExit(reason)
  }

  #settleAll(): void {
    this.#hasExited = true
    clearTimeout(this.#timer)
    for (const request of this.#queue) request.settle({ errorCode: 'EIO' })
    this.#queue = []
  }
}
