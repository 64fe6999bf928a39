import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { afterAll, describe, expect, test } from 'vitest'
import { benchWrite, type BenchWriteRequest } from './bench-write.ts'

const temporary = makeTemporaryDirectory()
afterAll(() => temporary.remove())
const inputPath = join(temporary.path, 'series.json')
const lines = Array.from({ length: 1100 }, (_, i) => JSON.stringify({ __name__: 'm', i: String(i % 1050), text: 'é' }))

async function run(directory: string, changes: Partial<BenchWriteRequest> = {}): Promise<string[]> {
  const told: string[] = []
  await benchWrite(
    { inputPath, directory, metricsMax: 10_000, scrapes: 150, ...changes },
    {
      onStart: (stage) => told.push(`start ${stage}`),
      onEnd: (stage, milliseconds) => told.push(`end ${stage} ${milliseconds >= 0}`),
      onIngested: () => told.push('ingested'),
      onSamples: (samples) => told.push(`${samples} samples`),
    },
  )
  return told
}

describe('benchWrite', () => {
  test('leaves the samples that promtool leaves', async () => {
    writeFileSync(inputPath, `${lines.join('\n')}\n`)
    const theirs = join(temporary.path, 'theirs')
    const made = spawnSync('promtool', ['tsdb', 'bench', 'write', `--out=${theirs}`, '--metrics=1070', '--scrapes=150', inputPath])
    expect(made.status).toBe(0)
    const ours = join(temporary.path, 'ours')
    const told = await run(ours, { metricsMax: 1070 })
    expect(told).toEqual([
      ...['start readData', 'end readData true', 'start ingestScrapes', 'ingested', 'end ingestScrapes true'],
      ...[`${1050 * 200} samples`, 'start stopStorage', 'end stopStorage true'],
    ])
    const dump = (path: string) => {
      const { stdout, status } = spawnSync('promtool', ['tsdb', 'dump', path], { encoding: 'utf8', maxBuffer: 2 ** 28 })
      expect(status).toBe(0)
      return stdout
    }
    expect(dump(ours) === dump(join(theirs, 'storage'))).toBe(true)
  }, 60_000)

  test.each([
    ['{"a":1}', 'cannot read line 1: want a JSON object of labels, got "{\\"a\\":1}"'],
    ['{"a":"b"}\nx{', 'cannot read line 2: want a JSON object of labels, got "x{"'],
    ['[]', 'cannot read line 1'],
  ])('%j is refused, and the storage is closed', async (text, reason) => {
    const path = join(temporary.path, 'wrong.json')
    writeFileSync(path, text)
    const directory = join(temporary.path, 'wrong')
    await expect(run(directory, { inputPath: path })).rejects.toThrow(reason)
    await expect(run(directory, { inputPath: join(temporary.path, 'missing') })).rejects.toThrow('no such file or directory')
  })
})
