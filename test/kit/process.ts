import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A server a test started: its output so far and the way to stop it. */
export interface RunningProcess {
  readonly child: ChildProcess
  readonly pid: number
  output(): string
  /** Resolves with the exit code (or the signal's name) once the process is gone. */
  exited: Promise<number | string>
  /** SIGTERM, then SIGKILL after the grace; resolves when the process is gone. */
  stop(graceMs?: number): Promise<void>
}

const running = new Set<ChildProcess>()
// A test run that dies must not leave servers behind.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

const outputBytesMax = 1024 * 1024

/** Starts a program directly (no shell); keeps the last MiB of what it prints. */
export function startProcess(command: string, args: readonly string[], options: SpawnOptions = {}): RunningProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  running.add(child)
  let output = ''
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-outputBytesMax)
  }
  child.stdout?.on('data', keep)
  child.stderr?.on('data', keep)
  const exited = new Promise<number | string>((resolve) => {
    child.once('error', (error) => {
      output += `\n${error.message}`
      running.delete(child)
      resolve(error.message)
    })
    child.once('exit', (code, signal) => {
      running.delete(child)
      resolve(code ?? signal ?? 'gone')
    })
  })
  return {
    child,
    pid: child.pid ?? -1,
    output: () => output,
    exited,
    async stop(graceMs = 5_000) {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await exited
      clearTimeout(timer)
    },
  }
}

/** A loopback port that was free a moment ago. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') return reject(new Error(`cannot read a port from ${address}`))
      server.close(() => resolve(address.port))
    })
  })
}

/** A private directory that `remove` deletes. */
export function makeTemporaryDirectory(prefix = 'narthex-'): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), prefix))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/**
 * Polls until `check` gives a truthy value and resolves with it; rejects at the deadline with what the last try said
 * and what the process printed.
 */
export async function waitFor<T>(
  what: string,
  check: () => T | Promise<T>,
  options: { timeoutMs?: number; intervalMs?: number; process?: RunningProcess } = {},
): Promise<NonNullable<T>> {
  const { timeoutMs = 20_000, intervalMs = 50 } = options
  const deadline = performance.now() + timeoutMs
  let last: unknown = 'no answer yet'
  for (;;) {
    try {
      const value = await check()
      if (value) return value
      last = value
    } catch (error) {
      last = error instanceof Error ? error.message : error
    }
    const child = options.process?.child
    if (child && (child.exitCode !== null || child.signalCode !== null)) {
      throw new Error(`cannot wait for ${what}: the process ended (${child.exitCode ?? child.signalCode})\n${options.process?.output()}`)
    }
    if (performance.now() > deadline) {
      throw new Error(`cannot wait for ${what}: not within ${timeoutMs} ms, last: ${String(last)}\n${options.process?.output() ?? ''}`)
    }
    await new Promise((resolve) => setTimeout(resolve, intervalMs))
  }
}

/** True once an HTTP GET answers 2xx. */
export async function answersOk(url: string): Promise<boolean> {
  const response = await fetch(url, { signal: AbortSignal.timeout(2_000) })
  await response.arrayBuffer()
  return response.ok
}
