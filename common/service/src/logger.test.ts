import { Secret } from '@narthex/config/secret'
import { describe, expect, it } from 'vitest'
import { createLogger, lineLengthMax, type LoggerOptions } from './logger.ts'

function record(options: LoggerOptions = {}) {
  const lines: string[] = []
  const log = createLogger({
    now: () => Date.UTC(2026, 0, 2, 3, 4, 5, 678),
    write: (line) => void lines.push(line),
    source: 'x.ts:1',
    ...options,
  })
  return { log, lines }
}

describe('the logger', () => {
  it('prints the shape of Go`s slog', () => {
    const { log, lines } = record()
    log.with({ component: 'tsdb' }).info('Head GC completed', { duration: '1.2ms', n: 3, empty: '', text: 'a "b"=\n', skipped: undefined })
    expect(lines).toEqual([
      'time=2026-01-02T03:04:05.678Z level=INFO source=x.ts:1 msg="Head GC completed" component=tsdb duration=1.2ms n=3 empty="" text="a \\"b\\"=\\n"\n',
    ])
  })

  it('prints JSON on request', () => {
    const { log, lines } = record({ format: 'json' })
    log.error('oh', { err: new Error('broken', { cause: new Error('disk') }), n: 1.5, ok: true })
    expect(JSON.parse(lines[0]!)).toEqual({
      time: '2026-01-02T03:04:05.678Z',
      level: 'ERROR',
      source: 'x.ts:1',
      msg: 'oh',
      err: 'broken: disk',
      n: 1.5,
      ok: true,
    })
  })

  it('leaves out what is below its level', () => {
    const { log, lines } = record({ level: 'warn' })
    log.info('no')
    log.warn('yes')
    expect(lines.length).toBe(1)
  })

  it('never prints a secret', () => {
    for (const format of ['logfmt', 'json'] as const) {
      const { log, lines } = record({ format })
      log.info('x', { secret: new Secret('hunter2'), config: { password: new Secret('hunter2') }, list: [new Secret('hunter2')] })
      expect(lines[0]).not.toContain('hunter2')
      expect(lines[0]).toContain('<secret>')
    }
  })

  it('bounds the line', () => {
    for (const format of ['logfmt', 'json'] as const) {
      const { log, lines } = record({ format })
      const fields = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, 'x'.repeat(10_000)]))
      log.info('y'.repeat(100_000), fields)
      expect(lines[0]!.length).toBeLessThan(lineLengthMax * 1.1)
      expect(lines[0]!.endsWith('\n')).toBe(true)
    }
  })

  it('names the file and line of the call', () => {
    const lines: string[] = []
    createLogger({ write: (line) => void lines.push(line) }).info('here')
    expect(lines[0]).toMatch(/source=logger\.test\.ts:\d+ /)
  })
})
