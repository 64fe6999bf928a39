import { RemoteWriteLoad } from '../bench/remote-write-load.ts'
import { startNarthex } from '../kit/narthex.ts'
import { prepareRequests, sendAll } from './write-latency.ts'
import { readFileSync } from 'node:fs'
const server = await startNarthex('server', { config: 'scrape_configs: []\n', args: ['--query.timeout=60s'] })
try {
  const load = new RemoteWriteLoad(100_000, 2_000, Date.now() - 40 * 15_000)
  await sendAll(prepareRequests(load, server.url, 20 * 50), server.url, 2)
  const end = load.timeMs / 1000
  for (const [query, step] of [
    ['count_values("v", {__name__=~"app.+"})', '0.5'],
    ['{__name__=~"app.+"}', '0.7'],
    [
      'label_join({__name__=~"app.+"}, "x", "-", "pod", "instance", "job", "node", "__name__") == on(x) group_left() label_join({__name__=~"app.+"}, "x", "-", "pod", "instance", "job", "node", "__name__")',
      '3',
    ],
  ]) {
    const t = performance.now()
    const r = await fetch(`${server.url}/api/v1/query_range`, {
      method: 'POST',
      body: new URLSearchParams({ query: query!, start: String(end - 280), end: String(end), step: step! }),
    })
    const text = await r.arrayBuffer()
    console.log(
      query,
      r.status,
      text.byteLength,
      Buffer.from(text.slice(0, 300)).toString(),
      (performance.now() - t).toFixed(0),
      /VmHWM.*/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![0],
    )
    await new Promise((r) => setTimeout(r, 2500))
    console.log(/VmRSS.*/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![0])
  }
  console.log((await (await fetch(`${server.url}/api/v1/query?query=1`)).text()).slice(0, 100))
  console.log(
    server
      .output()
      .split('\n')
      .filter((l) => /WARN|ERROR/.test(l))
      .join('\n'),
  )
} finally {
  await server.remove()
}
