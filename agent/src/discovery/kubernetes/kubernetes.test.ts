import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StubApiServer } from './testkit/stub-api-server.ts'
import { DiscoveryBench } from './testkit/discovery-bench.ts'
import { owned, podAddress, realEndpoints, realNamespace, realNode, realPod, realService } from './testkit/objects.ts'
import { watchFailuresMax } from './watch-list.ts'
import { watchPoolOf } from './watch-pool.ts'

let api: StubApiServer
let apiServer: string
let bench: DiscoveryBench

beforeEach(async () => {
  api = new StubApiServer()
  apiServer = await api.listen()
  bench = new DiscoveryBench()
})

afterEach(async () => {
  bench.stop()
  await api.close()
})

const pod = (name: string, ip: string, nodeName = 'node-a') => realPod(name, { status: { podIP: ip }, spec: { nodeName } })
const none = { node: false, namespace: false, deployment: false, job: false, cronjob: false }
const refused = (status: number, message: string) => () => ({ status, message })

describe('list and watch', () => {
  test('follows what is added, changed and deleted', async () => {
    api.set('pods', pod('a', '10.0.0.1'))
    const run = bench.start({ apiServer })
    await bench.until('first list', () => run.groups.size === 1)
    await bench.until('watch', () => api.watchCount === 1)
    api.set('pods', pod('b', '10.0.0.2'))
    await bench.until('new pod', () => run.groups.has('pod/shop/b'))
    api.set('pods', pod('b', '10.0.0.3'))
    await bench.until('changed pod', () => run.groups.get('pod/shop/b')?.targets[0]!['__address__'] === '10.0.0.3:8080')
    api.delete('pods', 'shop/a')
    await bench.until('deleted pod', () => !run.groups.has('pod/shop/a'))
    expect(api.count('pods', false)).toBe(1)
    expect(bench.exposed('prometheus_sd_kubernetes_events_total{role="pod"')).toEqual([
      'prometheus_sd_kubernetes_events_total{role="pod",event="add"} 2',
      'prometheus_sd_kubernetes_events_total{role="pod",event="delete"} 1',
      'prometheus_sd_kubernetes_events_total{role="pod",event="update"} 1',
    ])
    expect(bench.exposed('prometheus_sd_kubernetes_events_total{role="node"')).toHaveLength(3)
    expect(bench.exposed('prometheus_sd_kubernetes_http_request_total')).toEqual([
      'prometheus_sd_kubernetes_http_request_total{status_code="200"} 2',
    ])
    expect(bench.exposed('prometheus_sd_kubernetes_http_request_duration_seconds_count')).toEqual([
      'prometheus_sd_kubernetes_http_request_duration_seconds_count{endpoint="/api/v1/pods"} 2',
    ])
  })

  test('says who it is, and asks the server`s cache for versions, bookmarks and an end', async () => {
    bench.start({ apiServer: `${apiServer}/` })
    await bench.until('watch', () => api.watchCount === 1)
    const [list, watch] = api.requests
    expect(list).toMatchObject({
      path: '/api/v1/pods',
      query: { limit: '500', resourceVersion: '0' },
      headers: { 'user-agent': 'Narthex/test' },
    })
    expect(watch!.query).toMatchObject({ watch: 'true', allowWatchBookmarks: 'true', resourceVersion: '1000' })
    const seconds = Number(watch!.query['timeoutSeconds'])
    expect(seconds).toBeGreaterThanOrEqual(300)
    expect(seconds).toBeLessThanOrEqual(600)
  })

  test('reads a list of several pages', async () => {
    api.pageSize = 3
    for (let i = 0; i < 10; i++) api.set('pods', pod(`p${i}`, `10.0.0.${i}`))
    const run = bench.start({ apiServer })
    await bench.until('all pages', () => run.groups.size === 10)
    expect(api.count('pods', false)).toBe(4)
    expect(run.updates).toBe(1)
  })

  test('lists all at once when the next page has expired', async () => {
    api.pageSize = 3
    for (let i = 0; i < 10; i++) api.set('pods', pod(`p${i}`, `10.0.0.${i}`))
    api.refuse = ({ query }) =>
      query['continue'] === undefined ? undefined : { status: 410, message: 'The provided continue parameter is too old' }
    const run = bench.start({ apiServer })
    await bench.until('whole list', () => run.groups.size === 10)
    expect(api.requests.filter(({ isWatch }) => !isWatch).map(({ query }) => query['limit'])).toEqual(['500', '500', undefined])
  })

  test('resumes a dropped watch without a new list, and misses nothing', async () => {
    api.set('pods', pod('a', '10.0.0.1'))
    const run = bench.start({ apiServer })
    await bench.until('watch', () => api.watchCount === 1)
    api.set('pods', pod('b', '10.0.0.2'))
    await bench.until('event', () => run.groups.has('pod/shop/b'))
    api.dropWatches()
    api.set('pods', pod('c', '10.0.0.3'))
    api.delete('pods', 'shop/a')
    await bench.until('events of the gap', () => run.groups.has('pod/shop/c') && !run.groups.has('pod/shop/a'))
    expect(api.count('pods', false)).toBe(1)
    expect(api.requests.at(-1)!.query['resourceVersion']).toBe('1002')
    expect(bench.lines).toEqual([])
  })

  test('resumes from the last bookmark when the server ends a watch', async () => {
    api.set('pods', pod('a', '10.0.0.1'))
    bench.start({ apiServer })
    await bench.until('watch', () => api.watchCount === 1)
    api.set('nodes', realNode('elsewhere'))
    api.bookmark('pods')
    api.endWatches()
    await bench.until('next watch', () => api.count('pods', true) === 2)
    expect(api.requests.at(-1)!.query['resourceVersion']).toBe('1003')
    expect(api.count('pods', false)).toBe(1)
    expect(bench.exposed('prometheus_sd_kubernetes_failures_total')).toEqual(['prometheus_sd_kubernetes_failures_total 0'])
  })

  test.each([
    [
      'an ERROR event',
      () => api.sendRaw('pods', '{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"too old"}}'),
    ],
    ['a refused watch', () => api.dropWatches()],
    ['a line that is no JSON', () => api.sendRaw('pods', '{"type":')],
  ])('lists anew after %s says that its version is gone, and drops what vanished', async (_name, breakWatch) => {
    api.set('pods', pod('a', '10.0.0.1'))
    api.set('pods', pod('b', '10.0.0.2'))
    const run = bench.start({ apiServer })
    await bench.until('watch', () => run.groups.size === 2 && api.watchCount === 1)
    api.deleteSilently('pods', 'shop/a')
    api.forgetHistory()
    breakWatch()
    await bench.until('new list', () => run.groups.size === 1)
    expect([...run.groups.keys()]).toEqual(['pod/shop/b'])
    const lists = api.requests.filter(({ isWatch }) => !isWatch)
    // Not from the cache, which may not have caught up.
    expect(lists.map(({ query }) => query['resourceVersion'])).toEqual(['0', undefined])
    await bench.until('watch again', () => api.watchCount === 1)
  })

  test('doubts its version after five failed watches, and asks for a list no older', async () => {
    api.set('pods', pod('a', '10.0.0.1'))
    bench.start({ apiServer })
    await bench.until('watch', () => api.watchCount === 1, 0)
    let watchesBefore = 0
    api.refuse = ({ isWatch }) => {
      if (isWatch) return { status: 500, message: 'etcdserver: leader changed' }
      watchesBefore ||= api.count('pods', true)
      return undefined
    }
    api.dropWatches()
    // No time passes until the cut is noticed: a watch that lasted is a good one.
    await bench.until('failure', () => bench.exposed('prometheus_sd_kubernetes_failures_total').join().endsWith(' 1'), 0)
    await bench.until('second list', () => api.count('pods', false) === 2, 1000)
    expect(api.requests.filter(({ isWatch }) => !isWatch)[1]!.query).toMatchObject({
      resourceVersion: '1001',
      resourceVersionMatch: 'NotOlderThan',
    })
    // One was cut, four were refused.
    expect(watchesBefore).toBe(watchFailuresMax)
  })

  test('does not doubt its version because quiet watches are cut again and again', async () => {
    bench.start({ apiServer })
    for (let cut = 1; cut <= 8; cut++) {
      await bench.until('watch', () => api.watchCount === 1 && api.count('pods', true) === cut)
      await bench.clock.advance(1000)
      api.dropWatches()
    }
    await bench.until('next watch', () => api.count('pods', true) === 9)
    expect(api.count('pods', false)).toBe(1)
  })

  test('tells a refusal once, in one line, and goes on when it is lifted', async () => {
    api.refuse = refused(401, 'Unauthorized')
    const run = bench.start({ apiServer })
    await bench.until('three tries', () => api.requests.length === 3, 500)
    expect(bench.lines).toHaveLength(1)
    expect(bench.lines[0]).toContain('msg="cannot list pods"')
    expect(bench.lines[0]).toContain('err="401 Unauthorized"')
    api.refuse = () => undefined
    api.set('pods', pod('a', '10.0.0.1'))
    await bench.until('targets', () => run.groups.size === 1, 500)
    expect(bench.lines[1]).toContain('msg="lists pods again"')
    expect(bench.exposed('prometheus_sd_kubernetes_failures_total')).toEqual(['prometheus_sd_kubernetes_failures_total 3'])
    expect(bench.exposed('prometheus_sd_kubernetes_http_request_total')[0]).toBe(
      'prometheus_sd_kubernetes_http_request_total{status_code="401"} 3',
    )
  })

  test('waits as long as a server asks', async () => {
    api.refuse = () => ({ status: 429, message: 'too many requests', retryAfter: '20' })
    bench.start({ apiServer })
    await bench.until('refusal', () => bench.lines.length === 1, 0)
    const started = bench.clock.now()
    await bench.until('second try', () => api.requests.length === 2, 500)
    expect(bench.clock.now() - started).toBeGreaterThanOrEqual(20_000)
  })

  test('waits for a server that starts later', async () => {
    await api.close()
    const run = bench.start({ apiServer })
    await bench.until('refused connections', () => bench.lines.length > 0, 500)
    expect(bench.lines[0]).toContain('connection refused')
    api.set('pods', pod('a', '10.0.0.1'))
    await api.listen(Number(new URL(apiServer).port))
    await bench.until('targets', () => run.groups.size === 1, 500)
  })

  test('keeps its targets while the server is away', async () => {
    api.set('pods', pod('a', '10.0.0.1'))
    const run = bench.start({ apiServer })
    await bench.until('watch', () => run.groups.size === 1 && api.watchCount === 1)
    await api.close()
    await bench.until('trouble', () => bench.lines.length > 0, 1000)
    expect(run.groups.size).toBe(1)
  })

  test('tells nothing for changes that no label shows', async () => {
    api.set('pods', pod('a', '10.0.0.1'))
    const run = bench.start({ apiServer })
    await bench.until('watch', () => run.updates === 1 && api.watchCount === 1)
    api.set('pods', realPod('a', { status: { podIP: '10.0.0.1', startTime: 'other' } }))
    const counted = 'prometheus_sd_kubernetes_events_total{role="pod",event="update"} 1'
    await bench.until('event', () => bench.exposed(counted).length === 1)
    await bench.clock.advance(1000)
    expect(run.updates).toBe(1)
  })

  test('gathers a storm of events into one update', async () => {
    for (let i = 0; i < 50; i++) api.set('pods', pod(`p${i}`, `10.0.0.${i}`))
    const run = bench.start({ apiServer })
    await bench.until('watch', () => run.updates === 1 && api.watchCount === 1)
    for (let round = 0; round < 20; round++) for (let i = 0; i < 50; i++) api.set('pods', pod(`p${i}`, `10.0.${round}.${i}`))
    // Time stands while the thousand events arrive.
    const counted = 'prometheus_sd_kubernetes_events_total{role="pod",event="update"} 1000'
    await bench.until('events', () => bench.exposed(counted).length === 1, 0)
    expect(run.updates).toBe(1)
    await bench.clock.advance(99)
    expect(run.updates).toBe(1)
    await bench.clock.advance(1)
    expect(run.updates).toBe(2)
    expect(run.groups.get('pod/shop/p7')!.targets[0]!['__address__']).toBe('10.0.19.7:8080')
  })
})

describe('kubernetes_sd_configs', () => {
  test('asks for one node`s pods by the name in the environment', async () => {
    bench.env['NODE_NAME'] = 'node-b'
    api.set('pods', pod('a', '10.0.0.1', 'node-a'))
    api.set('pods', pod('b', '10.0.0.2', 'node-b'))
    const selectors = [{ role: 'pod' as const, label: 'app=web', field: 'spec.nodeName=$NODE_NAME,metadata.namespace!=${NODE_NAME}' }]
    const run = bench.start({ apiServer, selectors })
    await bench.until('targets', () => run.groups.size === 1)
    await bench.until('watch', () => api.watchCount === 1)
    expect([...run.groups.keys()]).toEqual(['pod/shop/b'])
    for (const { query } of api.requests) {
      expect(query).toMatchObject({ fieldSelector: 'spec.nodeName=node-b,metadata.namespace!=node-b', labelSelector: 'app=web' })
    }
  })

  test('names the variable that a selector wants and that is not set', () => {
    const selectors = [{ role: 'pod' as const, label: '', field: 'spec.nodeName=$NODE_NAME' }]
    expect(() => bench.start({ apiServer, selectors })).toThrow(
      'cannot use selector "spec.nodeName=$NODE_NAME": environment variable NODE_NAME is not set',
    )
  })

  test('gives endpoints anew when their service, pod, node or namespace changes', async () => {
    const attach = { ...none, node: true, namespace: true }
    const subsets = [{ addresses: [podAddress('10.0.0.1', 'a')], ports: [{ name: 'http', port: 8080, protocol: 'TCP' }] }]
    api.set('endpoints', realEndpoints('web', subsets))
    const run = bench.start({ apiServer, role: 'endpoints', attach })
    const group = () => run.groups.get('endpoints/shop/web')
    const label = (name: string) => group()?.labels[`__meta_kubernetes_${name}`] ?? group()?.targets[0]![`__meta_kubernetes_${name}`]
    await bench.until('endpoints', () => group() !== undefined && api.watchCount === 5)
    expect(label('pod_name')).toBeUndefined()
    const steps: [string, string, Parameters<typeof api.set>[1], string][] = [
      ['service_name', 'services', realService('web'), 'web'],
      ['pod_name', 'pods', pod('a', '10.0.0.1'), 'a'],
      ['node_name', 'nodes', realNode('node-a'), 'node-a'],
      ['namespace_label_team', 'namespaces', realNamespace('shop'), 'red'],
    ]
    for (const [name, plural, object, value] of steps) {
      api.set(plural, object)
      await bench.until(name, () => label(name) === value)
    }
    const before = run.updates
    api.set('pods', pod('stranger', '10.0.0.9'))
    api.delete('services', 'shop/web')
    await bench.until('service gone', () => label('service_name') === undefined)
    expect(run.updates).toBe(before + 1)
    api.set('endpoints', realEndpoints('web', [{ addresses: [{ ip: '10.0.0.8' }], ports: [{ port: 8080 }] }]))
    await bench.until('pod no longer behind it', () => label('pod_name') === undefined)
    api.set('pods', pod('a', '10.0.0.7'))
    const counted = 'prometheus_sd_kubernetes_events_total{role="pod",event="update"} 1'
    await bench.until('its event', () => bench.exposed(counted).length === 1)
    await bench.clock.advance(1000)
    expect(run.updates).toBe(before + 2)
    api.delete('endpoints', 'shop/web')
    await bench.until('endpoints gone', () => run.groups.size === 0)
  })

  test('finds deployments and cron jobs, asking for metadata only', async () => {
    api.set('pods', pod('a', '10.0.0.1'))
    api.set('replicasets', owned('web-7d9c', 'Deployment', 'web'))
    const run = bench.start({ apiServer, attach: { ...none, deployment: true, job: true, cronjob: true } })
    await bench.until('targets', () => run.groups.size === 1)
    expect(run.groups.get('pod/shop/a')!.labels).toMatchObject({ __meta_kubernetes_pod_deployment_name: 'web' })
    expect(api.requests.find(({ path }) => path === '/apis/apps/v1/replicasets')!.headers.accept).toBe(
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json',
    )
    expect(api.count('jobs', false)).toBe(1)
  })

  test('tells nothing before every list is there', async () => {
    api.set('pods', pod('a', '10.0.0.1'))
    api.set('nodes', realNode('node-a'))
    api.refuse = ({ path }) => (path.endsWith('/nodes') ? { status: 403, message: 'nodes is forbidden' } : undefined)
    const run = bench.start({ apiServer, attach: { ...none, node: true } })
    await bench.until('refusal', () => bench.lines.length === 1 && api.watchCount === 1)
    expect(run.updates).toBe(0)
    expect(bench.lines[0]).toContain('403 nodes is forbidden')
    api.refuse = () => undefined
    await bench.until('targets', () => run.groups.size === 1, 500)
    expect(run.updates).toBe(1)
  })

  test('looks into the namespaces named only', async () => {
    api.set('pods', pod('a', '10.0.0.1'))
    api.set('pods', realPod('b', { metadata: { namespace: 'other' } }))
    api.set('pods', realPod('c', { metadata: { namespace: 'third' } }))
    api.set('namespaces', realNamespace('shop'))
    const run = bench.start({ apiServer, namespaces: ['shop', 'other'], attach: { ...none, namespace: true } })
    await bench.until('targets', () => run.groups.size === 2)
    expect([...run.groups.keys()].sort()).toEqual(['pod/other/b', 'pod/shop/a'])
    expect(run.groups.get('pod/shop/a')!.labels).toMatchObject({ __meta_kubernetes_namespace_label_team: 'red' })
    await bench.until('watches', () => bench.exposed('prometheus_sd_kubernetes_http_request_total{status_code="200"} 8').length === 1)
    expect(bench.exposed('prometheus_sd_kubernetes_http_request_duration_seconds_count')).toEqual([
      'prometheus_sd_kubernetes_http_request_duration_seconds_count{endpoint="/api/v1/namespaces/%7Bnamespace%7D/pods"} 4',
      'prometheus_sd_kubernetes_http_request_duration_seconds_count{endpoint="/api/v1/namespaces"} 4',
    ])
    const lists = api.requests.filter(({ isWatch }) => !isWatch).map(({ path, query }) => `${path} ${query['fieldSelector'] ?? ''}`)
    expect(lists.sort()).toEqual([
      '/api/v1/namespaces metadata.name=other',
      '/api/v1/namespaces metadata.name=shop',
      '/api/v1/namespaces/other/pods ',
      '/api/v1/namespaces/shop/pods ',
    ])
  })

  test('shares one watch between jobs that ask the same, until the last of them stops', async () => {
    api.set('pods', pod('a', '10.0.0.1'))
    const pool = watchPoolOf(bench.registry)
    const first = bench.start({ apiServer })
    await bench.until('targets', () => first.groups.size === 1)
    const second = bench.start({ apiServer })
    expect(second.groups.size).toBe(1)
    const third = bench.start({ apiServer, selectors: [{ role: 'pod', label: 'app=web', field: '' }] })
    const fourth = bench.start({ apiServer, role: 'endpoints' })
    await bench.until('all watches', () => third.groups.size === 1 && api.watchCount === 4)
    expect(pool.size).toBe(4)
    first.discoverer.stop()
    fourth.discoverer.stop()
    expect(pool.size).toBe(2)
    api.set('pods', pod('b', '10.0.0.2'))
    await bench.until('still followed', () => second.groups.size === 2 && third.groups.size === 2)
    expect(first.groups.size).toBe(1)
    second.discoverer.stop()
    third.discoverer.stop()
    expect(pool.size).toBe(0)
    await bench.until('watches closed', () => api.watchCount === 0)
    await bench.clock.advance(60_000)
    expect(bench.clock.timerCount).toBe(0)
  })
})
