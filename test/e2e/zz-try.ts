import { RemoteWriteLoad } from '../bench/remote-write-load.ts'
import { startNarthex } from '../kit/narthex.ts'
import { percentile, prepareRequests, sendAll, sendPaced } from './write-latency.ts'
import { readFileSync, readdirSync } from 'node:fs'
const query = process.argv[2]!, steps = Number(process.argv[3]??100), parallel = Number(process.argv[4]??1), rounds = Number(process.argv[5]??20)
import { writeFileSync } from 'node:fs'
if (process.env.NFLAGS !== undefined) writeFileSync('/tmp/nx.sh', `#!/bin/sh\nexec /work/main/node_modules/.bin/node --disable-warning=ExperimentalWarning ${process.env.NFLAGS} /work/main/cli/src/main.ts "$@"\n`, { mode: 0o755 })
const server = await startNarthex('server', { config: 'scrape_configs: []\n', args: ['--query.timeout=100s', '--query.max-samples=5000000'], ...(process.env.NFLAGS !== undefined ? {executable: '/tmp/nx.sh'} : {}) })
try {
  let t=performance.now()
  const load = new RemoteWriteLoad(100_000, 2_000, Date.now() - (rounds+10) * 15_000)
  const hist = prepareRequests(load, server.url, rounds*50)
  console.log('prepared', performance.now()-t); t=performance.now()
  await sendAll(hist, server.url, 2)
  console.log('loaded', performance.now()-t)
  const reqs = prepareRequests(load, server.url, 400)
  console.log('bytes/req', reqs[0]!.length)
  const idle = await sendPaced(prepareRequests(load, server.url, 100), server.url, {connections:2, requestsPerSecond:50})
  console.log('idle p50 %d p99 %d max %d', percentile(idle,.5), percentile(idle,.99), percentile(idle,1))
  const end = load.timeMs/1000
  console.log('EPOCH query', Date.now()); const t0=performance.now(); let done=0
  const ac = new AbortController()
  const q = Array.from({length: parallel}, async () => { const r = await fetch(`${server.url}/api/v1/query_range`, {method:'POST', body: new URLSearchParams({query, start: String(end-300), end: String(end), step: String(300/steps)}), signal: ac.signal}); const text=await r.text(); done++; console.log('query', r.status, text.length, text.slice(0,200), performance.now()-t0) })
  await new Promise(r=>setTimeout(r,200))
  const ss=()=>{try{return readdirSync(`/proc/${server.pid}/task`).map(t=>{const st=readFileSync(`/proc/${server.pid}/task/${t}/stat`,'utf8');return [t+st.slice(st.indexOf('('), st.lastIndexOf(')')+1), ...readFileSync(`/proc/${server.pid}/task/${t}/schedstat`,'utf8').trim().split(' ').map(Number)] as [string,number,number,number]})}catch(e){console.log(String(e));return []}}; const s0=ss()
  const LatT=Date.now(); const lat = await sendPaced(prepareRequests(load, server.url, 400), server.url, {connections:2, requestsPerSecond:50})
  for (const [n,r,w,c] of ss()) { const o=s0.find(x=>x[0]===n); if(o&&r-o[1]>1e6) console.log('sched', n, 'run ms', ((r-o[1])/1e6).toFixed(0), 'wait ms', ((w-o[2])/1e6).toFixed(0), 'slices', c-o[3]) }
  console.log('done during', done)
  console.log('busy p50 %d p90 %d p99 %d max %d', percentile(lat,.5), percentile(lat,.9), percentile(lat,.99), percentile(lat,1))
  for (const t of readdirSync(`/proc/${server.pid}/task`)) { const s=readFileSync(`/proc/${server.pid}/task/${t}/stat`,'utf8'); const f=s.slice(s.lastIndexOf(')')+2).split(' '); console.log(t, s.slice(s.indexOf('('), s.lastIndexOf(')')+1), 'nice', f[16], 'utime', f[11], f[12]) }
  console.log(/VmHWM.*/.exec(readFileSync(`/proc/${server.pid}/status`,'utf8'))![0])
  await Promise.allSettled(q)
  console.log(/VmHWM.*/.exec(readFileSync(`/proc/${server.pid}/status`,'utf8'))![0])
for (const l of lat.map((v,i)=>i).filter(i=>lat[i]!>15).slice(0,40)) console.log('slow', new Date(LatT+l*20).valueOf(), l, lat[l]!.toFixed(1)); if (process.env.NFLAGS !== undefined) writeFileSync('/tmp/nx.out', server.output())
} finally { await server.remove() }
