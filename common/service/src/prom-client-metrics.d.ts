// prom-client's own collectors one by one: its collectDefaultMetrics also starts a watcher of every garbage collection.
declare module 'prom-client/lib/metrics/*' {
  import type { Registry } from 'prom-client'
  const register: (registry: Registry) => void
  export default register
}
