import { FamilyWriter } from '@narthex/exposition/family-writer'
import { describe, expect, it } from 'vitest'
import { cellsPerMetricMax, Registry } from './metrics.ts'
import { processMetrics } from './process-metrics.ts'

function print(registry: Registry): string {
  const writer = new FamilyWriter()
  registry.write(writer)
  return Buffer.from(writer.finish()).toString('utf8')
}

describe('the registry', () => {
  it('prints counters, gauges and histograms', () => {
    const registry = new Registry()
    const requests = registry.counter('requests_total', 'Requests.', ['code'])
    requests.inc(2, '200')
    requests.labels('500').inc()
    registry.gauge('queue', 'Length.').set(3)
    const seconds = registry.histogram('seconds', 'Time.', [], [0.1, 1])
    for (const value of [0.1, 0.5, 5]) seconds.observe(value)
    expect(print(registry)).toBe(
      [
        '# HELP queue Length.',
        '# TYPE queue gauge',
        'queue 3',
        '# HELP requests_total Requests.',
        '# TYPE requests_total counter',
        'requests_total{code="200"} 2',
        'requests_total{code="500"} 1',
        '# HELP seconds Time.',
        '# TYPE seconds histogram',
        'seconds_bucket{le="0.1"} 1',
        'seconds_bucket{le="1"} 2',
        'seconds_bucket{le="+Inf"} 3',
        'seconds_sum 5.6',
        'seconds_count 3',
        '',
      ].join('\n'),
    )
  })

  it('prints quantiles of the last ten minutes only', () => {
    let now = 0
    const registry = new Registry({ now: () => now })
    const summary = registry.summary('s', 'S.', [], [0.5])
    for (let i = 1; i <= 9; i++) summary.observe(i)
    expect(print(registry)).toContain('s{quantile="0.5"} 5\ns_sum 45\ns_count 9')
    now = 600_001
    expect(print(registry)).toContain('s{quantile="0.5"} NaN\ns_sum 45\ns_count 9')
  })

  it('shows a metric without labels before its first use, and gives the same metric for the same name', () => {
    const registry = new Registry()
    const counter = registry.counter('a_total', 'A.')
    expect(print(registry)).toContain('a_total 0')
    expect(registry.counter('a_total', 'A.')).toBe(counter)
    expect(() => registry.gauge('a_total', 'A.')).toThrow('cannot register metric a_total')
    expect(() => registry.counter('b_total', 'B.', ['x']).inc(1)).toThrow('want 1 label values, got 0')
  })

  it('collects before it prints, and forgets removed cells', () => {
    const registry = new Registry()
    const gauge = registry.gauge('g', 'G.', ['pool'])
    registry.onCollect(() => gauge.set(7, 'a'))
    gauge.set(1, 'b')
    gauge.remove('b')
    expect(print(registry)).toBe('# HELP g G.\n# TYPE g gauge\ng{pool="a"} 7\n')
  })

  it('refuses further label combinations at its bound, and counts them', () => {
    const registry = new Registry()
    const counter = registry.counter('c_total', 'C.', ['x'])
    for (let i = 0; i < cellsPerMetricMax + 2; i++) counter.inc(1, String(i))
    const text = print(registry)
    expect(text).toContain('narthex_metric_cells_refused_total{metric="c_total"} 2')
    expect(text.match(/^c_total/gm)?.length).toBe(cellsPerMetricMax)
  })

  it('has the process metrics of Go`s client and none of Node`s', async () => {
    const registry = new Registry()
    processMetrics(registry)
    await registry.prepare()
    const names = print(registry).match(/^# TYPE \S+ \S+/gm)
    expect(names).toEqual([
      '# TYPE process_cpu_seconds_total counter',
      '# TYPE process_max_fds gauge',
      '# TYPE process_open_fds gauge',
      '# TYPE process_resident_memory_bytes gauge',
      '# TYPE process_start_time_seconds gauge',
      '# TYPE process_virtual_memory_bytes gauge',
    ])
  })
})
