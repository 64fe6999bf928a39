import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { HeadReader } from '../select/head-reader.ts'
import type { Store } from '../store.ts'
import { open, statePath, takenText } from './head-state.test-store.ts'

const kills = Number(process.env['NARTHEX_KILLS'] ?? 8)
const seriesCount = 2000

/** Kills a writer `ms` after it began; gives what it said. */
async function writeAndKill(directory: string, firstMs: number, ms: number): Promise<string[]> {
  const script = fileURLToPath(new URL('./head-state.test-writer.ts', import.meta.url))
  const child = spawn(process.execPath, [script, directory, String(seriesCount), String(firstMs)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (data: Buffer) => (output += data.toString()))
  await once(child.stdout, 'data')
  await new Promise((resolve) => setTimeout(resolve, ms))
  expect(child.exitCode).toBeNull()
  child.kill('SIGKILL')
  await once(child, 'close')
  return output.slice(0, output.lastIndexOf('\n')).split('\n')
}

/** By time, the samples; each value is right. */
function countByTime(store: Store): Map<number, number> {
  const found = new Map<number, number>()
  const descriptor = store.head.descriptor()
  const reader = new HeadReader(descriptor)
  for (const set = reader.select([new Matcher('=', '__name__', 'killed')], -Infinity, Infinity); set.next();) {
    const columns = new SampleColumns()
    set.samples(columns)
    const i = Number(set.labels().get('i'))
    for (let k = 0; k < columns.length; k++) {
      expect(columns.values[k]).toBe(i + columns.times[k]!)
      found.set(columns.times[k]!, (found.get(columns.times[k]!) ?? 0) + 1)
    }
  }
  reader.close()
  store.head.releaseReader(descriptor)
  return found
}

test('a process that is killed while it stops or starts loses nothing that was acknowledged', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-state-'))
  const openings = { state: 0, logs: 0 }
  const acked: number[] = []
  for (let kill = 0; kill < kills; kill++) {
    // All within one range and a half, which stay in the head.
    const firstMs = 10_000 + 100 * (kill + 1)
    // Spread over several stops and starts, a little further each time.
    const said = await writeAndKill(directory, firstMs, 60 + 37 * (kill % 11))
    for (const line of said) {
      if (line === 'state' || line === 'logs') openings[line]++
      else acked.push(Number(line))
    }
    // As the next process finds it, by the state that may be there.
    const lines: string[] = []
    const store = open(directory, {}, lines)
    openings[lines.join('').includes(takenText) ? 'state' : 'logs']++
    const found = countByTime(store)
    expect(acked.filter((timeMs) => found.get(timeMs) !== seriesCount)).toEqual([])
    for (const count of found.values()) expect(count).toBe(seriesCount)
    await store.close()
  }
  console.log(`starts by the state: ${openings.state}, by the logs: ${openings.logs}`)
  expect(openings.state).toBeGreaterThan(0)
  rmSync(directory, { recursive: true })
})

test('what an unfinished stop and a start that ended have left is deleted', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-state-'))
  await open(directory).close()
  for (const name of ['state.tmp', 'state.taken']) writeFileSync(join(dirname(statePath(directory)), name), 'left')
  rmSync(statePath(directory))
  const store = open(directory)
  await expect.poll(() => existsSync(dirname(statePath(directory)))).toBe(false)
  await store.close()
  expect(readdirSync(dirname(statePath(directory)))).toEqual(['state'])
  rmSync(directory, { recursive: true })
})
