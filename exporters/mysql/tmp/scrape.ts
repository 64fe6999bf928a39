import { createMysqlExporter } from '../src/mysql-exporter.ts'
import { createLogger } from '@narthex/service/logger'
const [socket, ...rest] = process.argv.slice(2)
const flags = Object.fromEntries(rest.filter(r=>!r.includes('=')).map((name) => ['collect.' + name, true]))
const exporter = createMysqlExporter({ log: createLogger(), flags, buildInfo: { version: '1', revision: 'r', branch: 'b' }, env: { DATA_SOURCE_NAME: `root:@unix(${socket})/` } })
const a = await exporter.handleMetrics()
console.log(Buffer.from(a.body).toString())
const n = Number(process.env.N ?? 50)
const c0 = process.cpuUsage()
const t = performance.now()
for (let i = 0; i < n; i++) await exporter.handleMetrics()
const c = process.cpuUsage(c0)
console.error('ms per scrape', (performance.now() - t) / n, 'cpu ms', (c.user + c.system) / 1000 / n, 'rss', process.memoryUsage.rss() / 1e6)
await exporter.close()
