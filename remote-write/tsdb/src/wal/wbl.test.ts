import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { replayWbl, WblWriter } from './wbl.ts'
import type { WblReplay } from './wbl.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-wbl-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function replay(): WblReplay & { lines: string[] } {
  const lines: string[] = []
  const result = replayWbl(
    directory,
    (type, _record, { length, refs, times, secondTimes, words }) => {
      for (let i = 0; i < length; i++) {
        if (type === 2) lines.push(`sample ${refs[i]} ${times[i]} ${words[2 * i]} ${words[2 * i + 1]}`)
        else lines.push(`marker ${refs[i]} ${secondTimes[i]} ${words[2 * i]}`)
      }
    },
    () => {},
  )
  return { ...result, lines }
}

describe('the log of out-of-order samples', () => {
  it('gives samples and markers back in their order', async () => {
    const writer = new WblWriter({ directory, firstSegment: 0, compresses: true })
    writer.addSample(3, 5, 2, 0x7ff00000)
    writer.addSample(4, 4, 1, 2)
    writer.addMarker(3, 2, 8)
    writer.addSample(3, 1, 7, 8)
    writer.commit()
    writer.commit()
    writer.addMarker(4, 3, 134_000_000)
    writer.commit()
    expect(replay()).toMatchObject({ segments: 1, damages: [], nextSegment: 1 })
    expect(replay().lines).toEqual(['sample 3 5 2 2146435072', 'sample 4 4 1 2', 'marker 3 2 8', 'sample 3 1 7 8', 'marker 4 3 134000000'])
    await writer.close()
  })

  it('has at most 8,192 entries a record, and every sample', async () => {
    const writer = new WblWriter({ directory, firstSegment: 0, compresses: false })
    const counts: number[] = []
    for (let i = 0; i < 20_000; i++) writer.addSample(1 + (i % 1000), i, i, i)
    writer.commit()
    replayWbl(
      directory,
      (_type, _record, entries) => counts.push(entries.length),
      () => {},
    )
    expect(counts).toEqual([8192, 8192, 3616])
    await writer.close()
  })

  it('loses its older segments when they are not needed', async () => {
    const writer = new WblWriter({ directory, firstSegment: 0, compresses: false })
    for (let i = 0; i < 4; i++) {
      writer.addSample(1, i, i, i)
      writer.commit()
      writer.nextSegment()
    }
    await writer.removeBefore(3)
    expect(readdirSync(directory).sort()).toEqual(['00000003', '00000004'])
    expect(replay().lines).toEqual(['sample 1 3 3 3'])
    await writer.close()
  })

  it('with a torn end keeps what is before, with damage further in all but the damaged record', async () => {
    const writer = new WblWriter({ directory, firstSegment: 0, compresses: false })
    for (let i = 0; i < 6; i++) {
      writer.addSample(1, i, i, i)
      writer.commit()
      if (i === 2) writer.nextSegment()
    }
    await writer.close()
    const newest = join(directory, '00000001')
    truncateSync(newest, readFileSync(newest).length - 3)
    expect(replay()).toMatchObject({ lines: [0, 1, 2, 3, 4].map((i) => `sample 1 ${i} ${i} ${i}`), damages: [{ kind: 'torn' }] })
    const oldest = join(directory, '00000000')
    const bytes = readFileSync(oldest)
    bytes[50]! ^= 1
    writeFileSync(oldest, bytes)
    expect(replay()).toMatchObject({ lines: [0, 2, 3, 4].map((i) => `sample 1 ${i} ${i} ${i}`), damages: [{ kind: 'corrupt' }] })
    expect(replay().damages).toEqual([])
  })
})
