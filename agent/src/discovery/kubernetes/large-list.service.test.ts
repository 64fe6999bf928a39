import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { DiscoveryBench } from './testkit/discovery-bench.ts'
import { realPod } from './testkit/objects.ts'

const podCount = 4000
/** Of the whole heap's growth, targets included: some 3 KiB a pod are needed. */
const heapBytesMax = 30 * 2 ** 20
/** Several times what an idle machine needs. */
const listMsMax = 10_000

/** A pod as a cluster has it: most of its bytes say nothing to discovery. */
function heavyPod(index: number): string {
  const managed = Array.from({ length: 60 }, (_, i) => [
    `f:field-${i}`,
    { '.': {}, 'f:value': {}, 'f:timestamp': { [`k:{"x":${i}}`]: {} } },
  ])
  const env = Array.from({ length: 60 }, (_, i) => ({ name: `SETTING_${i}`, value: `value ${i} of pod ${index}` }))
  const pod = realPod(`web-${index}`, {
    metadata: { managedFields: [{ manager: 'kubelet', fieldsV1: Object.fromEntries(managed) }] },
    status: { podIP: `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}` },
  })
  return JSON.stringify({ ...pod, env })
}

function usedHeap(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}

test('reads a list of 4,000 pods in little memory, though the server does not page', async () => {
  let listBytes = 0
  const server = createServer((request, response) => {
    if (request.url?.includes('watch=true') === true) {
      response.writeHead(200).flushHeaders()
      return
    }
    response.write('{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[')
    let index = 0
    const writeMore = (): void => {
      while (index < podCount) {
        const text = `${index === 0 ? '' : ','}${heavyPod(index++)}`
        listBytes += text.length
        if (!response.write(text)) return void response.once('drain', writeMore)
      }
      response.end(']}')
    }
    writeMore()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const bench = new DiscoveryBench()
  try {
    const before = usedHeap()
    const started = performance.now()
    const run = bench.start({ apiServer: `http://127.0.0.1:${(server.address() as AddressInfo).port}` })
    await bench.until('all pods', () => run.groups.size === podCount)
    const tookMs = performance.now() - started
    const grown = usedHeap() - before
    console.log(
      `${podCount} pods of ${(listBytes / podCount / 1024).toFixed(1)} KiB listed in ${tookMs.toFixed(0)} ms; heap grew ${(grown / 2 ** 20).toFixed(1)} MiB`,
    )
    expect(run.groups.get('pod/shop/web-3999')!.targets).toHaveLength(4)
    expect(listBytes).toBeGreaterThan(podCount * 8192)
    expect(grown).toBeLessThan(heapBytesMax)
    expect(tookMs).toBeLessThan(listMsMax)
  } finally {
    bench.stop()
    server.closeAllConnections()
    server.close()
  }
})
