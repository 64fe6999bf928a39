import { createLogger } from '@narthex/service/logger'
import { describe, expect, test } from 'vitest'
import { LossLog, lossTellingIntervalMs } from './loss-log.ts'

function openLog(): { log: LossLog; lines: string[]; clock: { ms: number } } {
  const lines: string[] = []
  const clock = { ms: 5 }
  const write = (line: string): void => void lines.push(line.slice(line.indexOf('remote_name')).trimEnd())
  return { log: new LossLog(createLogger({ write }), () => clock.ms), lines, clock }
}

describe('LossLog', () => {
  test('tells the first loss at once, and the sum of those behind it an interval later', () => {
    const { log, lines, clock } = openLog()
    for (let i = 0; i < 100; i++) log.add('r', 'disk_full', 1, 10)
    expect(lines).toEqual(['remote_name=r reason=disk_full frames=1 samples=10'])
    clock.ms += lossTellingIntervalMs - 1
    log.flush()
    expect(lines).toHaveLength(1)
    clock.ms++
    log.flush()
    log.flush()
    expect(lines.slice(1)).toEqual(['remote_name=r reason=disk_full frames=99 samples=990'])
  })

  test('keeps remotes and reasons apart', () => {
    const { log, lines } = openLog()
    log.add('r', 'disk_full', 1, 10)
    log.add('r', 'damaged', 2, undefined)
    log.add('s', 'disk_full', 3, 30)
    expect(lines).toEqual([
      'remote_name=r reason=disk_full frames=1 samples=10',
      'remote_name=r reason=damaged frames=2 samples=unknown',
      'remote_name=s reason=disk_full frames=3 samples=30',
    ])
  })

  test('tells the rest at the end, and a sum with an unknown part as unknown', () => {
    const { log, lines } = openLog()
    for (const samples of [10, 20, undefined]) log.add('r', 'damaged', 1, samples)
    log.flush(true)
    log.flush(true)
    expect(lines.slice(1)).toEqual(['remote_name=r reason=damaged frames=2 samples=unknown'])
  })
})
