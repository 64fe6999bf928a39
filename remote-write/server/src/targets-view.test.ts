import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { Labels } from '@narthex/model/labels'
import { describe, expect, test } from 'vitest'
import { createScrapeView, RelabelRequestError } from './targets-view.ts'

const config = parsePrometheusConfig(
  `scrape_configs:
- job_name: j
  relabel_configs:
  - {source_labels: [__meta_zone], target_label: zone}
  - {source_labels: [zone], regex: 'b|c', action: drop}
  - {regex: __meta_.*, action: labeldrop}
`,
  { path: 'p.yml', mode: 'server' },
)

const view = createScrapeView({
  targets: () => ({ active: [], dropped: [], droppedCounts: { j: 2 }, otherShardCounts: {} }),
  metadata: () => [],
  jobConfig: (name) => config.scrapeConfigs.find(({ jobName }) => jobName === name),
})

describe('relabel steps', () => {
  test('show what each rule makes of the labels', () => {
    expect(view.relabelSteps('j', '{"__address__":"a:1","__meta_zone":"x"}')).toEqual({
      steps: [
        {
          rule: {
            source_labels: ['__meta_zone'],
            separator: ';',
            regex: '(.*)',
            target_label: 'zone',
            replacement: '$1',
            action: 'replace',
          },
          output: { __address__: 'a:1', __meta_zone: 'x', zone: 'x' },
          keep: true,
        },
        {
          rule: { source_labels: ['zone'], separator: ';', regex: 'b|c', replacement: '$1', action: 'drop' },
          output: { __address__: 'a:1', __meta_zone: 'x', zone: 'x' },
          keep: true,
        },
        {
          rule: { separator: ';', regex: '__meta_.*', replacement: '$1', action: 'labeldrop' },
          output: { __address__: 'a:1', zone: 'x' },
          keep: true,
        },
      ],
    })
  })

  test('are empty from the rule on that drops the target', () => {
    const { steps } = view.relabelSteps('j', '{"__meta_zone":"b"}') as { steps: { keep: boolean; output: object }[] }
    expect(steps.map(({ keep }) => keep)).toEqual([true, false, false])
    expect(steps.map(({ output }) => output)).toEqual([{ __meta_zone: 'b', zone: 'b' }, {}, {}])
  })

  test.each([
    ['', '{}', 'no scrapePool parameter provided'],
    ['j', '', 'no labels parameter provided'],
    ['k', '{}', 'error retrieving scrape config: scrape pool "k" not found'],
    ['j', '{', 'error parsing labels: '],
    ['j', '[]', 'error parsing labels: want an object of texts'],
    ['j', '{"a":1}', 'error parsing labels: want a text for label "a"'],
    ['j', `{"a":"${'x'.repeat(262_144)}"}`, 'error parsing labels: want at most 262144 characters'],
  ])('of %j and %.20j say what is wrong', (pool, labels, text) => {
    expect(() => view.relabelSteps(pool, labels)).toThrow(RelabelRequestError)
    expect(() => view.relabelSteps(pool, labels)).toThrow(text)
  })
})

test('targets of other shards are counted apart, and only where there are some', () => {
  expect(view.targets('any', '')).toEqual({ activeTargets: [], droppedTargets: [], droppedTargetCounts: { j: 2 } })
  const sharded = createScrapeView({
    targets: () => ({ active: [], dropped: [], droppedCounts: {}, otherShardCounts: { j: 5 } }),
    metadata: () => [],
    jobConfig: () => undefined,
  })
  expect(sharded.targets('any', '')).toMatchObject({ otherShardTargetCounts: { j: 5 } })
})

test('metadata of targets is selected by any selector, also one that takes every target', () => {
  const of = (job: string) => ({ target: Labels.from({ job }), families: [{ name: 'up', type: 'gauge' as const, help: '', unit: '' }] })
  const scraped = createScrapeView({
    targets: () => ({ active: [], dropped: [], droppedCounts: {}, otherShardCounts: {} }),
    metadata: () => [of('a'), of('b')],
    jobConfig: () => undefined,
  })
  const jobs = (selector: string) =>
    (scraped.targetMetadata(selector, 'up', -1) as { target: { job: string } }[]).map(({ target }) => target.job)
  expect([jobs('{}'), jobs('{job!="a"}'), jobs('{job=""}')]).toEqual([['a', 'b'], ['b'], []])
})
