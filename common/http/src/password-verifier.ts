import type { Worker } from 'node:worker_threads'
import type { PasswordVerifier } from './basic-auth.ts'

export interface PasswordQuestion {
  readonly id: number
  readonly password: string
  readonly hash: string
}

export interface PasswordAnswer {
  readonly id: number
  readonly isRight: boolean
}

/** Source of the thread that `createWorkerVerifier` starts; its asset is named `password-worker`. */
export const passwordWorkerUrl = new URL('./password-worker.ts', import.meta.url)

/** The thread is ended after this long without a question. */
const idleMs = 30_000

/**
 * Compares passwords in a thread, started when it is needed:
 * `createWorkerVerifier(() => spawnWorker('password-worker', passwordWorkerUrl))`. It keeps no process alive.
 */
export function createWorkerVerifier(start: () => Worker): PasswordVerifier {
  let worker: Worker | undefined
  let idle: NodeJS.Timeout | undefined
  let lastId = 0
  const waiting = new Map<number, PromiseWithResolvers<boolean>>()

  function startWorker(): Worker {
    const started = start()
    started.unref()
    started.on('message', ({ id, isRight }: PasswordAnswer) => {
      waiting.get(id)?.resolve(isRight)
      waiting.delete(id)
    })
    const end = (reason: unknown): void => {
      if (worker === started) worker = undefined
      for (const { reject } of waiting.values()) reject(new Error('cannot compare password: thread ended', { cause: reason }))
      waiting.clear()
    }
    started.on('error', end)
    started.on('exit', end)
    return started
  }

  return (password, hash) => {
    worker ??= startWorker()
    clearTimeout(idle)
    idle = setTimeout(() => {
      if (waiting.size === 0) void worker?.terminate()
    }, idleMs)
    idle.unref()
    const answer = Promise.withResolvers<boolean>()
    waiting.set(++lastId, answer)
    worker.postMessage({ id: lastId, password, hash } satisfies PasswordQuestion)
    return answer.promise
  }
}
