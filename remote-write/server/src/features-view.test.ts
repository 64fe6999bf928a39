import { expect, it } from 'vitest'
import { listFeatures } from './features-view.ts'
import type { ServerSettings } from './server.ts'

const settingsWith = (features: readonly string[]) => ({ features, flags: {} }) as unknown as ServerSettings

it('lists the operators of the language, and those of an experiment as they are switched on', () => {
  const off = listFeatures(settingsWith([]))['promql_operators']!
  expect(off).toMatchObject({ '+': true, atan2: true, '=~': true, '@': true, unless: true, sum: true })
  const on = listFeatures(settingsWith(['promql-experimental-functions']))['promql_operators']!
  expect([off['limitk'], on['limitk']]).toEqual([false, true])
  expect(Object.keys(on)).toEqual(Object.keys(off))
})

it('lists what Prometheus has and we have not as false, and what we have beside it', () => {
  const { api, otlp_receiver, promql, scrape, service_discovery_providers: providers, tsdb, ui } = listFeatures(settingsWith([]))
  expect(api).toMatchObject({
    'openapi_3.1': false,
    query_cost: false,
    search: false,
    search_fuzz_alg_subsequence: false,
    query_stats: true,
  })
  expect(otlp_receiver).toEqual({ delta_conversion: false, native_delta_ingestion: false })
  expect(promql).toMatchObject({ anchored: true, smoothed: true, fill: false })
  expect(scrape).toMatchObject({ openmetrics2: true })
  expect(providers).toMatchObject({ nomad: false, eureka: false, kubernetes: true, etcd: true })
  expect(tsdb).toEqual({
    ...{ delayed_compaction: false, exemplar_storage: false, histograms_st_encoding: false, isolation: true, native_histograms: true },
    ...{ st_storage: false, use_uncached_io: false, xor2_encoding: false },
  })
  expect(ui).toEqual({ ui_v2: false, ui_v3: false })
})
