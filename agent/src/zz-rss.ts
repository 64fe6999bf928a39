import './agent.ts'
import '@narthex/config/prometheus-config'
setTimeout(()=>{ console.log('rss', (process.memoryUsage().rss/1e6).toFixed(0), process.memoryUsage()) },500)
