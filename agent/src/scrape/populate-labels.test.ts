import { describe, expect, test } from 'vitest'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { makeScrapeUrl, populateLabels } from './populate-labels.ts'
import { hashTarget, makePublicLabels, untilNextTurnMs } from './target.ts'

function job(extra = '') {
  const text = `scrape_configs:\n- job_name: j\n  scrape_interval: 15s\n  scrape_timeout: 10s\n${extra.replace(/^/gm, '  ')}\n`
  return parsePrometheusConfig(text, { path: '/p.yml', mode: 'agent' }).scrapeConfigs[0]!
}

function populate(extra: string, target: Record<string, string>, group: Record<string, string> = {}) {
  return populateLabels(job(extra), target, group)
}

describe('populateLabels', () => {
  test('fills in defaults where target and group say nothing', () => {
    const populated = populate('params: {m: [x, y]}', { __address__: 'h:1', __scheme__: 'https' }, { __scheme__: 'http', env: 'e' })
    expect(populated.kind).toBe('kept')
    expect(populated.discovered.toRecord()).toEqual({
      __address__: 'h:1',
      __scheme__: 'https',
      __metrics_path__: '/metrics',
      __scrape_interval__: '15s',
      __scrape_timeout__: '10s',
      __param_m: 'x',
      __convert_classic_histograms_to_nhcb__: 'false',
      __always_scrape_classic_histograms__: 'false',
      __scrape_native_histograms__: 'false',
      env: 'e',
      job: 'j',
    })
  })

  test('takes instance from the address after relabeling, drops __meta_ and keeps other __ labels', () => {
    const populated = populate('relabel_configs: [{source_labels: [__meta_ip], target_label: __address__}]', {
      __address__: 'a',
      __meta_ip: '1.2.3.4',
      __tmp: 'x',
    })
    if (populated.kind !== 'kept') throw new Error(populated.kind)
    expect(populated.labels.get('instance')).toBe('1.2.3.4')
    expect(populated.labels.has('__meta_ip')).toBe(false)
    expect(populated.labels.get('__tmp')).toBe('x')
    expect(makePublicLabels(populated.labels).toRecord()).toEqual({ instance: '1.2.3.4', job: 'j' })
  })

  test.each<[Record<string, string>, string]>([
    [{ a: 'b' }, 'no address'],
    [{ __address__: 'http://h:1' }, '"http://h:1" is not a valid hostname'],
    [{ __address__: 'h', __scrape_interval__: 'x' }, 'error parsing scrape interval: not a valid duration string: "x"'],
    [{ __address__: 'h', __scrape_interval__: '0s' }, 'scrape interval cannot be 0'],
    [{ __address__: 'h', __scrape_timeout__: '0' }, 'scrape timeout cannot be 0'],
    [{ __address__: 'h', __scrape_timeout__: '20s' }, 'scrape timeout cannot be greater than scrape interval ("20s" > "15s")'],
  ])('refuses %j', (target, reason) => {
    expect(populate('', target)).toMatchObject({ kind: 'failed', reason })
  })

  test('says when a rule dropped the target', () => {
    expect(populate('relabel_configs: [{action: drop, source_labels: [job], regex: j}]', { __address__: 'h' }).kind).toBe('dropped')
  })
})

test('makes the URL as Go does', () => {
  const populated = populate("metrics_path: '/a b?c'\nparams: {z: ['ü'], a: ['1', '2']}", { __address__: '[::1]:80', __param_q: "it's" })
  if (populated.kind !== 'kept') throw new Error(populated.kind)
  expect(makeScrapeUrl(populated.labels, job("params: {z: ['ü'], a: ['1', '2']}").params)).toBe(
    'http://[::1]:80/a%20b%3Fc?a=1&a=2&q=it%27s&z=%C3%BC',
  )
})

test('gives a target the same place in every interval, within it', () => {
  const populated = populate('', { __address__: 'h:1' })
  if (populated.kind !== 'kept') throw new Error(populated.kind)
  const { discovered, labels, intervalMs, timeoutMs, histograms } = populated
  const url = 'http://h:1/metrics'
  const target = { discovered, labels, url, intervalMs, timeoutMs, hash: hashTarget(labels, url), histograms, socketPath: undefined }
  const places = [0, 1, 7_777, 14_999, 15_000, 1_700_000_000_123].map((now) => {
    const wait = untilNextTurnMs(target, 42n, now)
    expect(wait).toBeGreaterThan(0)
    expect(wait).toBeLessThanOrEqual(15_000)
    return Math.round((now + wait) * 1000) % 15_000_000
  })
  expect(new Set(places).size).toBe(1)
})

test('puts targets at places that are shared: 50 ms apart, twenty in a short interval', () => {
  const populated = populate('', { __address__: 'h:1' })
  if (populated.kind !== 'kept') throw new Error(populated.kind)
  const { discovered, labels, timeoutMs, histograms } = populated
  const places = (intervalMs: number): number[] => {
    const found = new Set<number>()
    for (let i = 0n; i < 5_000n; i++) {
      const target = {
        discovered,
        labels,
        url: '',
        intervalMs,
        timeoutMs,
        hash: i * 0x9e3779b97f4a7c15n,
        histograms,
        socketPath: undefined,
      }
      found.add(untilNextTurnMs(target, 42n, 0) % intervalMs)
    }
    return [...found].sort((a, b) => a - b)
  }
  const everyStep = (count: number, step: number): number[] => Array.from({ length: count }, (_, i) => i * step)
  expect(places(15_000)).toEqual(everyStep(300, 50))
  expect(places(1_000)).toEqual(everyStep(20, 50))
  expect(places(1_020)).toEqual(everyStep(21, 50))
  expect(places(900)).toEqual(everyStep(20, 45))
  expect(places(1)).toHaveLength(20)
})

test("reads what a target says about histograms as Go reads booleans, and the job's where it says nothing", () => {
  const flags = (extra: string, labels: Record<string, string>) => {
    const populated = populate(extra, { __address__: 'h:1', ...labels })
    return populated.kind === 'kept' ? Object.values(populated.histograms) : populated.kind === 'failed' ? populated.reason : populated.kind
  }
  expect(flags('', {})).toEqual([false, false, false])
  expect(flags('scrape_native_histograms: true\nalways_scrape_classic_histograms: true', {})).toEqual([true, true, false])
  expect(flags('scrape_native_histograms: true', { __scrape_native_histograms__: 'f' })).toEqual([false, false, false])
  expect(flags('', { __convert_classic_histograms_to_nhcb__: 'TRUE', __always_scrape_classic_histograms__: '1' })).toEqual([
    false,
    true,
    true,
  ])
  expect(flags('', { __scrape_native_histograms__: 'yes' })).toBe(
    'error parsing scrape_native_histograms: strconv.ParseBool: parsing "yes": invalid syntax',
  )
})
