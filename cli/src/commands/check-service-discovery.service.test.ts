import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { afterAll, describe, expect, it } from 'vitest'
import { runCheckServiceDiscovery, type FoundTarget } from './check-service-discovery.ts'

// Beside promtool: the same configuration, the same targets.

const temporary = makeTemporaryDirectory()
afterAll(() => temporary.remove())
const path = (name: string) => join(temporary.path, name)

const config = `scrape_configs:
- job_name: static
  static_configs: [{targets: ['h1:1', 'h2:2', 'h1:1'], labels: {x: y}}, {targets: ['h3:9']}]
  relabel_configs:
  - {source_labels: [__address__], regex: 'h2.*', action: drop}
  - {source_labels: [__address__], target_label: addr}
- job_name: files
  file_sd_configs: [{files: ['targets*.json']}]
  params: {m: [n]}
- job_name: broken
  static_configs: [{targets: ['h1:1']}]
  relabel_configs: [{target_label: __address__, replacement: ''}]
- job_name: nobody
  dns_sd_configs: [{names: [nothing.invalid]}]
`
writeFileSync(path('prometheus.yml'), config)
writeFileSync(path('targets1.json'), '[{"targets":["f1:1","f2:2"],"labels":{"l":"m"}},{"targets":["f1:1"]}]')
writeFileSync(path('targets2.json'), '[{"targets":["f9:1"]}]')

/** Of version 3. */
const newLabels = ['__always_scrape_classic_histograms__', '__convert_classic_histograms_to_nhcb__', '__scrape_native_histograms__']
const withoutNew = (labels: FoundTarget['labels']) =>
  Object.fromEntries(Object.entries(labels).filter(([name]) => !newLabels.includes(name)))

async function askOurs(job: string): Promise<FoundTarget[]> {
  const end = await runCheckServiceDiscovery(['--timeout=1s', path('prometheus.yml'), job], { signal: new AbortController().signal }).catch(
    (reason: unknown) => reason,
  )
  if (!(end instanceof PrintAndExit)) throw end
  return (JSON.parse(end.text) as FoundTarget[]).map(({ discoveredLabels, labels, ...rest }) => {
    return { discoveredLabels: withoutNew(discoveredLabels), labels: withoutNew(labels), ...rest }
  })
}

function askPromtool(job: string): FoundTarget[] {
  const { stdout } = spawnSync('promtool', ['check', 'service-discovery', '--timeout=1s', path('prometheus.yml'), job], {
    encoding: 'utf8',
  })
  return JSON.parse(stdout) as FoundTarget[]
}

/** promtool tells the groups in any order. */
const sorted = (targets: readonly FoundTarget[]) => targets.map((target) => JSON.stringify(target)).sort()

describe('check service-discovery finds what promtool finds', () => {
  it.each(['static', 'files', 'nobody'])('for %s targets', async (job) => {
    const found = await askOurs(job)
    expect(sorted(found)).toEqual(sorted(askPromtool(job)))
    if (job === 'static') expect(found.map(({ labels }) => labels['instance'])).toEqual(['h1:1', undefined, 'h3:9'])
  })
})

it('what cannot be scraped has its reason', async () => {
  expect(await askOurs('broken')).toEqual([
    { discoveredLabels: expect.objectContaining({ __address__: 'h1:1' }) as unknown, labels: {}, error: 'no address' },
  ])
})

it('a job that is not there is answered with those that are', async () => {
  await expect(askOurs('other')).rejects.toThrow('Job other not found. Select one of:\n\tstatic\n\tfiles\n\tbroken\n\tnobody')
})

it('a configuration that cannot be read is told with its place', async () => {
  writeFileSync(path('bad.yml'), 'scrape_configs:\n- job_name: a\n  scrape_interval: 1s\n  scrape_timeout: 2s\n')
  const error = await runCheckServiceDiscovery([path('bad.yml'), 'a'], { signal: new AbortController().signal }).catch(
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(UserError)
  expect((error as UserError).message).toMatch(
    /^Cannot load config parsing YAML file .*bad.yml: scrape timeout .*\n {4}at .*bad.yml:\d+:\d+$/,
  )
})
