import { describe, expect, it } from 'vitest'
import { runMain, type MainContext, type MainProcess } from './lifecycle.ts'
import { PrintAndExit, UserError } from './user-error.ts'

function fakeProcess() {
  const listeners = new Map<string, (reason: unknown) => void>()
  const codes: number[] = []
  let out = ''
  let errors = ''
  const host: MainProcess = {
    on: (event, listener) => void listeners.set(event, listener),
    exit: (code) => void codes.push(code),
    writeOut: (text) => (out += text),
    writeError: (text) => (errors += text),
  }
  return { host, codes, signal: (name: string) => listeners.get(name)!(undefined), output: () => ({ out, errors }) }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('runMain', () => {
  it('stops what was started last first, at SIGTERM', async () => {
    const { host, signal } = fakeProcess()
    const stopped: string[] = []
    const end = runMain(
      (context) => {
        for (const name of ['storage', 'rules', 'web']) context.onStop(name, async () => void stopped.push(name))
      },
      { process: host },
    )
    await turn()
    signal('SIGTERM')
    expect(await end).toBe(0)
    expect(stopped).toEqual(['web', 'rules', 'storage'])
  })

  it('stops what was started when a later start fails', async () => {
    const { host, output } = fakeProcess()
    const stopped: string[] = []
    const code = await runMain(
      (context) => {
        context.onStop('storage', () => void stopped.push('storage'))
        throw new UserError('listen tcp :9090: bind: address already in use', 3)
      },
      { process: host },
    )
    expect([code, stopped, output().errors]).toEqual([3, ['storage'], 'listen tcp :9090: bind: address already in use\n'])
  })

  it('says which part was stuck and exits with 1 when the time is over', async () => {
    const { host, signal, output } = fakeProcess()
    const end = runMain(
      (context) => {
        context.onStop('storage', () => undefined)
        context.onStop('web', () => new Promise(() => undefined))
      },
      { process: host, stopMs: 20 },
    )
    await turn()
    signal('SIGINT')
    expect(await end).toBe(1)
    expect(output().errors).toBe('cannot stop within 20 ms: web, storage still running\n')
  })

  it('gives a part the time that it asks for, and no more', async () => {
    const stop = async (workMs: number): Promise<[code: number, errors: string]> => {
      const { host, signal, output } = fakeProcess()
      const end = runMain(
        (context) => {
          context.onStop('storage', async (_graceMs, prolong) => {
            prolong(100)
            await new Promise((resolve) => setTimeout(resolve, workMs))
          })
        },
        { process: host, stopMs: 5 },
      )
      await turn()
      signal('SIGTERM')
      return [await end, output().errors]
    }
    expect(await stop(30)).toEqual([0, ''])
    const [code, errors] = await stop(60_000)
    expect(code).toBe(1)
    expect(errors).toMatch(/^cannot stop within 1\d\d ms: storage still running\n$/)
  })

  it('exits at once at a second signal', async () => {
    const { host, signal } = fakeProcess()
    const end = runMain((context) => context.onStop('web', () => new Promise(() => undefined)), { process: host })
    await turn()
    signal('SIGINT')
    signal('SIGINT')
    expect(await end).toBe(1)
  })

  it('prints a bug of ours with its stack, and what was asked for to standard output', async () => {
    const bug = fakeProcess()
    expect(
      await runMain(
        () => {
          throw new TypeError('x is not a function')
        },
        { process: bug.host },
      ),
    ).toBe(2)
    expect(bug.output().errors).toMatch(/TypeError: x is not a function\n\s+at /)
    const help = fakeProcess()
    expect(
      await runMain(
        () => {
          throw new PrintAndExit('usage: x\n')
        },
        { process: help.host },
      ),
    ).toBe(0)
    expect(help.output()).toEqual({ out: 'usage: x\n', errors: '' })
  })

  it('reloads at SIGHUP, one reload after the other', async () => {
    const { host, signal } = fakeProcess()
    const events: string[] = []
    let context: MainContext | undefined
    const end = runMain(
      (given) => {
        context = given
        given.onStop('x', () => undefined)
        given.onReload(async () => {
          events.push('start')
          await turn()
          events.push('end')
        })
      },
      { process: host },
    )
    await turn()
    signal('SIGHUP')
    await context!.reload()
    expect(events).toEqual(['start', 'end', 'start', 'end'])
    context!.stop()
    expect(await end).toBe(0)
  })
})
