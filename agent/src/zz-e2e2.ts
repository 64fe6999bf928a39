import { createServer } from 'node:http'
import { readFileSync, mkdtempSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { Registry } from '@narthex/service/metrics'
import { createLogger } from '@narthex/service/logger'
import { createAgent } from './agent.ts'
import { createScraper } from './scraper.ts'
const mode = process.argv[2] ?? 'null'
const port = Number(process.argv[3])
const n = 100
const config = parsePrometheusConfig(`
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
- job_name: node
  enable_compression: false
  static_configs:
  - targets: [${Array.from({length:n},(_, i)=>`'127.0.0.1:${port+i%4}'`).join(',')}]
    labels: {}
  relabel_configs: []
`.replace(/static_configs:[\s\S]*relabel/, `static_configs:\n${Array.from({length:n},(_, i)=>`  - {targets: ['127.0.0.1:${port}'], labels: {n: '${i}', __metrics_path__: '/metrics/${i}'}}`).join('\n')}\n  relabel`)
 + (mode==='null'?'':`remote_write:\n- url: http://127.0.0.1:${port}/write\n`), { path: '/tmp/x.yml', mode: 'agent' })
const registry = new Registry()
let samples = 0
const scraper = mode === 'null' ? createScraper({ config, sink: { append: (b) => void (samples += b.count) }, log: createLogger(), registry, userAgent: 'x' })
 : createAgent({config, storagePath: mkdtempSync('/tmp/agent-'), log: createLogger(), registry, userAgent:'x'})
scraper.start()
let cpu = process.cpuUsage(), last = 0
setInterval(() => {
  const c = process.cpuUsage(cpu); cpu = process.cpuUsage()
  const count = mode==='null' ? samples : registry.counter('prometheus_remote_storage_samples_in_total','x').labels().value
  const d = count - last; last = count
  console.log(`${d} samples, ${((c.user + c.system) / d).toFixed(3)} us/sample, rss ${(process.memoryUsage().rss/1e6).toFixed(0)} MB heap ${(process.memoryUsage().heapUsed/1e6).toFixed(0)} ext ${(process.memoryUsage().external/1e6).toFixed(0)}`, mode==='null'?scraper.targets().active[0]?.lastError:'')
}, 2000)
setTimeout(() => process.exit(0), 12000)
