import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { RemoteWriteLoad } from '../bench/remote-write-load.ts'
import { queryVector, repository } from '../kit/narthex.ts'
import { answersOk, findFreePort, makeTemporaryDirectory, startProcess, waitFor } from '../kit/process.ts'
import { Inspector, type ThreadHeap } from './inspector.ts'
import { prepareRequests, sendAll } from './write-latency.ts'

const fewSeries = 100_000
const manySeries = 300_000
const samplesPerRequest = 2_000
const warmUpRequests = 10
const bytesPerSeriesMax = 16

/** The server as the launcher starts it, with an inspector. */
async function startInspectedServer() {
  const temporary = makeTemporaryDirectory('narthex-memory-')
  const port = await findFreePort()
  writeFileSync(join(temporary.path, 'prometheus.yml'), 'scrape_configs: []\n')
  const running = startProcess(process.execPath, [
    '--disable-warning=ExperimentalWarning',
    '--inspect=127.0.0.1:0',
    join(repository, 'cli', 'src', 'main.ts'),
    'server',
    `--config.file=${temporary.path}/prometheus.yml`,
    `--storage.tsdb.path=${temporary.path}/data`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--query.max-concurrency=1',
  ])
  const remove = async () => {
    await running.stop()
    temporary.remove()
  }
  const url = `http://127.0.0.1:${port}`
  try {
    await waitFor('narthex server', () => answersOk(`${url}/-/ready`), { process: running, timeoutMs: 60_000 })
    return { url, running, remove }
  } catch (error) {
    await remove()
    throw error
  }
}

test('the JavaScript heap of all threads grows by at most 16 bytes per added series', { timeout: 120_000 }, async () => {
  const { url, running, remove } = await startInspectedServer()
  try {
    const inspector = await Inspector.connect(running)
    const load = new RemoteWriteLoad(manySeries, samplesPerRequest, Date.now() - 10 * 15_000)
    const requests = prepareRequests(load, url, load.requestCount)
    const firstRequests = fewSeries / samplesPerRequest

    /** Sends requests, has a query worker read every series there is, and measures. */
    const fill = async (from: number, to: number): Promise<ThreadHeap[]> => {
      await sendAll(requests.slice(from, to), url, 2)
      const series = to * samplesPerRequest
      const atSeconds = load.timeMs / 1000
      const [counted] = await queryVector(url, 'count(last_over_time({__name__=~"app_.+"}[5m]))', atSeconds)
      expect(counted?.value[1]).toBe(String(series))
      expect((await queryVector(url, 'count by (pod) ({__name__=~"app_.+"})', atSeconds)).length).toBe(series / 200)
      return inspector.measureHeaps()
    }

    // The first requests and queries bring code and buffers, which are no series' cost.
    await fill(0, warmUpRequests)
    const before = await fill(warmUpRequests, firstRequests)
    const after = await fill(firstRequests, requests.length)
    inspector.close()

    expect(before.map(({ thread }) => thread)).toEqual(['main', 'query-worker.ts'])
    expect(after.map(({ thread }) => thread)).toEqual(['main', 'query-worker.ts'])
    const sum = (heaps: readonly ThreadHeap[]) => heaps.reduce((total, { usedBytes }) => total + usedBytes, 0)
    const bytesPerSeries = (sum(after) - sum(before)) / (manySeries - fewSeries)
    const view = (heaps: readonly ThreadHeap[]) =>
      heaps.map(({ thread, usedBytes }) => `${thread} ${(usedBytes / 1e6).toFixed(2)} MB`).join(', ')
    console.log(`heap: ${view(before)} → ${view(after)}: ${bytesPerSeries.toFixed(2)} bytes per added series`)
    expect(bytesPerSeries).toBeLessThanOrEqual(bytesPerSeriesMax)
  } finally {
    await remove()
  }
})
