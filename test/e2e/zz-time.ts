import { RemoteWriteLoad } from '../bench/remote-write-load.ts'
import { prepareRequests } from './write-latency.ts'
let t = performance.now(); const load = new RemoteWriteLoad(300_000, 2000, Date.now()); console.log('load', performance.now() - t); t = performance.now()
prepareRequests(load, 'http://127.0.0.1:1', load.requestCount); console.log('prepare', performance.now() - t)
