import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { waitFor } from '@narthex/test/kit/process'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { ContainerExporter } from './container-exporter.ts'
import { createMemoryLogger, createTestExporter, scrapeOnce, scrapeText, valuesBy } from './test-exporter.ts'
import { field, numberField, readAnswer, startFakeEngine, startFakeGrpc, type FakeEngine, type Routes } from './test-engines.ts'
import { unpackTestTree, type TestTree } from './test-tree.ts'

const ids = {
  web: `aaaa${'1'.repeat(60)}`,
  side: `aaaa${'2'.repeat(60)}`,
  sandbox: `bbbb${'1'.repeat(60)}`,
  app: `bbbb${'2'.repeat(60)}`,
  crio: `cccc${'1'.repeat(60)}`,
  pod: `eeee${'1'.repeat(60)}`,
}

let v1: TestTree
let v2: TestTree
const closers: (() => Promise<unknown> | void)[] = []
beforeAll(() => {
  v1 = unpackTestTree('v1')
  v2 = unpackTestTree('v2')
})
afterAll(() => {
  v1.remove()
  v2.remove()
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

async function startEngine(routes: Routes): Promise<FakeEngine> {
  const engine = await startFakeEngine(routes)
  closers.push(engine.close)
  return engine
}

const dockerRoutes = (): Routes => ({
  [`/containers/${ids.web}/json`]: readAnswer('docker/web.json'),
  [`/containers/${ids.side}/json`]: readAnswer('docker/side.json'),
  '/containers/json': JSON.stringify([{ Id: ids.web }]),
  '/version': readAnswer('docker/version.json'),
  '/events': '',
})

function keep(exporter: ContainerExporter): ContainerExporter {
  closers.push(() => exporter.close())
  return exporter
}

describe('Docker', () => {
  test('names, images, labels and wanted variables are labels of every sample, empty where a container has none', async () => {
    const { endpoint } = await startEngine(dockerRoutes())
    const text = await scrapeOnce({ docker: endpoint, env_metadata_whitelist: 'SHOP_,OTHER' }, { root: v1.directory })
    expect(text).toMatch(
      new RegExp(
        `^container_memory_rss\\{container_env_shop_name="front",container_label_com_x_y="z",container_label_my_app="x",` +
          `id="/docker/${ids.web}",image="box:1",name="web"\\} `,
        'm',
      ),
    )
    expect(text).toMatch(
      /^container_memory_rss\{container_env_shop_name="",container_label_com_x_y="",container_label_my_app="",id="\/",image="",name=""\} /m,
    )
    expect(text).toMatch(/^cadvisor_version_info\{.*dockerVersion="20\.10\.24\+dfsg1"/m)
  })

  test('times are the engine`s, and the creation where it was never told to start', async () => {
    const { endpoint } = await startEngine(dockerRoutes())
    const text = await scrapeOnce({ docker: endpoint }, { root: v1.directory })
    const created = Date.parse('2026-01-02T03:04:05Z') / 1000
    expect(valuesBy(text, 'container_creation_time_seconds', 'name')).toMatchObject({ web: created, side: created + 60 })
    expect(valuesBy(text, 'container_start_time_seconds', 'name')).toMatchObject({ web: created + 1, side: created + 60 })
  })

  test('a container in the network of another shows none', async () => {
    const { endpoint } = await startEngine(dockerRoutes())
    const text = await scrapeOnce({ docker: endpoint }, { root: v1.directory })
    const received = valuesBy(text, 'container_network_receive_bytes_total', 'name')
    expect(received['web']).toBe(10_100)
    expect(received).not.toHaveProperty('side')
  })

  test('what a container has written into its layer is measured after a scrape and shown by a later one', async () => {
    const tree = unpackTestTree('v1')
    closers.push(tree.remove)
    const layer = join(tree.directory, 'layers/web/diff')
    mkdirSync(layer, { recursive: true })
    writeFileSync(join(layer, 'big'), Buffer.alloc(1_000_000, 1))
    const { dev } = statSync(layer)
    const device = `${(dev >>> 8) & 0xfff}:${(dev & 0xff) | ((dev >>> 12) & 0xfff00)}`
    const mountInfo = join(tree.directory, 'proc/self/mountinfo')
    writeFileSync(mountInfo, readFileSync(mountInfo, 'utf8').replaceAll('254:0', device))
    const overlay = '- overlay overlay rw,lowerdir=/l1:/l2,upperdir=/layers/web/diff,workdir=/w'
    writeFileSync(
      join(tree.directory, 'proc/101/mountinfo'),
      `90 80 0:70 / / rw,relatime ${overlay}\n91 90 0:71 / /proc rw - proc proc rw\n`,
    )
    const engine = await startEngine(dockerRoutes())
    const exporter = keep(createTestExporter({ docker: engine.endpoint }, { root: tree.directory }))
    const usage = async (): Promise<Readonly<Record<string, number>>> =>
      valuesBy(await scrapeText(exporter), 'container_fs_usage_bytes', 'name')
    expect(await usage()).not.toHaveProperty('web')
    const shown = await waitFor('the layer to be measured', async () => (await usage())['web'])
    expect(shown).toBeGreaterThanOrEqual(1_000_000)
    expect(shown).toBeLessThan(1_100_000)
    const text = await scrapeText(exporter)
    expect(valuesBy(text, 'container_fs_limit_bytes', 'name', 'device')['web,/dev/vda']).toBeGreaterThan(shown)
    // What is told of the machine's disk is not the container's.
    expect(valuesBy(text, 'container_fs_sector_reads_total', 'name')).not.toHaveProperty('web')
  })

  test('health is asked for with every scrape, the rest once', async () => {
    const engine = await startEngine(dockerRoutes())
    const exporter = keep(createTestExporter({ docker: engine.endpoint }, { root: v1.directory }))
    const health = async (): Promise<unknown> => valuesBy(await scrapeText(exporter), 'container_health_state', 'name')
    expect(await health()).toMatchObject({ web: 1, side: -1, '': -1 })
    engine.routes['/containers/json'] = '[]'
    expect(await health()).toMatchObject({ web: 0, side: -1 })
    const asked = engine.asked.map((url) => url.split('?')[0])
    expect(asked.filter((path) => path === `/containers/${ids.web}/json`)).toHaveLength(1)
    expect(asked.filter((path) => path === '/containers/json')).toHaveLength(2)
    expect(asked.filter((path) => path === '/version')).toHaveLength(1)
  })

  test('names are looked up again after five minutes, and containers that nobody knows less and less often', async () => {
    const engine = await startEngine(dockerRoutes())
    delete engine.routes[`/containers/${ids.side}/json`]
    let nowMs = 0
    const exporter = keep(createTestExporter({ docker: engine.endpoint }, { root: v1.directory, monotonicMs: () => nowMs }))
    const countOf = (id: string): number => engine.asked.filter((url) => url === `/containers/${id}/json`).length
    await scrapeText(exporter)
    engine.routes[`/containers/${ids.web}/json`] = readAnswer('docker/web.json').replace('"/web"', '"/shop"')
    nowMs = 1_999
    await scrapeText(exporter)
    expect(countOf(ids.side)).toBe(1)
    nowMs = 2_000
    await scrapeText(exporter)
    expect(countOf(ids.side)).toBe(2)
    nowMs = 5_999
    await scrapeText(exporter)
    expect(countOf(ids.side)).toBe(2)
    expect(countOf(ids.web)).toBe(1)
    nowMs = 400_000
    expect(Object.keys(valuesBy(await scrapeText(exporter), 'container_memory_rss', 'name'))).toContain('shop')
    expect(countOf(ids.web)).toBe(2)
  })

  test.each([
    [{ store_container_labels: false }, []],
    [{ store_container_labels: false, whitelisted_container_labels: 'my-app,other' }, ['container_label_my_app']],
    [{ whitelisted_container_labels: 'my-app' }, ['container_label_com_x_y', 'container_label_my_app']],
  ])('%j shows the labels %j', async (flags, wanted) => {
    const { endpoint } = await startEngine(dockerRoutes())
    const text = await scrapeOnce({ docker: endpoint, ...flags }, { root: v1.directory })
    expect([...new Set(text.match(/container_label_\w+/g))].sort()).toEqual(wanted)
  })

  test('labels without end are bounded, the most common are kept, and the rest is warned of once', async () => {
    const routes = dockerRoutes()
    const labels = Object.fromEntries(Array.from({ length: 1_000 }, (_, index) => [`run-${index}`, 'x'.repeat(10_000)]))
    const web = JSON.parse(readAnswer('docker/web.json')) as { Config: { Labels: object } }
    const side = JSON.parse(readAnswer('docker/side.json')) as { Config: { Labels: object } }
    web.Config.Labels = { team: 'shop', ...labels }
    side.Config.Labels = { team: 'shop' }
    routes[`/containers/${ids.web}/json`] = JSON.stringify(web)
    routes[`/containers/${ids.side}/json`] = JSON.stringify(side)
    const { log, lines } = createMemoryLogger()
    const { endpoint } = await startEngine(routes)
    const exporter = keep(createTestExporter({ docker: endpoint, enable_metrics: 'cpu' }, { root: v1.directory, log }))
    const text = await scrapeText(exporter)
    await scrapeText(exporter)
    const names = new Set(text.match(/container_label_\w+/g))
    // Of 200 names id, image, name and the label that two containers have come first.
    expect(names.size).toBe(197)
    expect(names).toContain('container_label_team')
    expect(text).toContain(`container_label_run_0="${'x'.repeat(4096)}"`)
    expect(lines.filter((line) => line.includes('labels of containers are left out'))).toHaveLength(1)
  })

  test('names that become one label are one, the first in order', async () => {
    const routes = dockerRoutes()
    routes[`/containers/${ids.web}/json`] = readAnswer('docker/web.json').replace('"com.x.y"', '"my.app"')
    const { endpoint } = await startEngine(routes)
    const text = await scrapeOnce({ docker: endpoint }, { root: v1.directory })
    expect(text).toMatch(/^container_memory_rss\{container_label_my_app="x",id="\/docker\/aaaa1/m)
  })
})

describe('an engine that does not answer', () => {
  const answers: [string, (request: IncomingMessage, response: ServerResponse) => void][] = [
    ['refuses', (_request, response) => void response.writeHead(500).end('{"message":"out of order"}')],
    ['says something else', (_request, response) => void response.end('<html>')],
    ['breaks off', (request) => void request.socket.destroy()],
    ['hangs', () => undefined],
    ['stops in the middle', (_request, response) => void response.writeHead(200, { 'content-length': '1000' }).write('{"Id":"')],
    ['sends a gigabyte', (_request, response) => sendWithoutEnd(response, 1024)],
  ]

  /** Mebibytes as fast as they are read, until nobody reads any more. */
  function sendWithoutEnd(response: ServerResponse, mebibytes: number): void {
    if (mebibytes === 0) return void response.end()
    const next = (): void => sendWithoutEnd(response, mebibytes - 1)
    if (response.destroyed) return
    if (response.write(Buffer.alloc(1024 * 1024, 'x'))) setImmediate(next)
    else response.once('drain', next)
  }

  test.each(answers)('that %s costs names and nothing else, is warned of once, and rests', async (_, answer) => {
    const engine = await startEngine(new Proxy<Routes>({}, { get: () => answer }))
    const { log, lines } = createMemoryLogger()
    const exporter = keep(createTestExporter({ docker: engine.endpoint }, { root: v1.directory, log }))
    const text = await scrapeText(exporter, { 'x-prometheus-scrape-timeout-seconds': '2' })
    expect(valuesBy(text, 'container_memory_rss', 'name')).toHaveProperty(ids.web)
    expect(text).toContain('container_scrape_error 0\n')
    expect(text).toMatch(/^cadvisor_version_info\{.*dockerVersion="Unknown"/m)
    const askedOnce = engine.asked.length
    expect(await scrapeText(exporter)).toContain(ids.web)
    expect(engine.asked).toHaveLength(askedOnce)
    expect(lines.filter((line) => line.includes('cannot ask container engine'))).toHaveLength(1)
  })

  test('that is slow with many containers is asked on by the next scrape, and not blamed', async () => {
    const tree = unpackTestTree('v2')
    closers.push(tree.remove)
    const many = Array.from({ length: 300 }, (_, index) => index.toString(16).padStart(64, '0'))
    for (const id of many) mkdirSync(join(tree.directory, `sys/fs/cgroup/system.slice/docker-${id}.scope`))
    const web = readAnswer('docker/web.json')
    let answered = 0
    let isQuick = false
    const routes = new Proxy<Routes>(
      {},
      {
        get: (_routes, path) => {
          if (path === '/events') return ''
          if (path === '/containers/json') return '[]'
          return (_request: IncomingMessage, response: ServerResponse): void => {
            setTimeout(() => response.end(web.replace('"/web"', `"/c${answered++}"`)), isQuick ? 0 : 40)
          }
        },
      },
    )
    const engine = await startEngine(routes)
    const { log, lines } = createMemoryLogger()
    const exporter = keep(createTestExporter({ docker: engine.endpoint, enable_metrics: 'cpu' }, { root: tree.directory, log }))
    const named = async (seconds: string): Promise<number> => {
      const text = await scrapeText(exporter, { 'x-prometheus-scrape-timeout-seconds': seconds })
      return Object.keys(valuesBy(text, 'container_last_seen', 'name')).filter((name) => /^c\d+$/.test(name)).length
    }
    const first = await named('1.1')
    expect(first).toBeLessThan(300)
    isQuick = true
    expect(await named('60')).toBeGreaterThanOrEqual(300)
    expect(lines.filter((line) => line.includes('cannot ask container engine'))).toEqual([])
  })

  test('names that an engine has told stay when its socket goes away', async () => {
    const engine = await startEngine(dockerRoutes())
    const { log, lines } = createMemoryLogger()
    const exporter = keep(createTestExporter({ docker: engine.endpoint }, { root: v1.directory, log }))
    const names = async (): Promise<Readonly<Record<string, number>>> =>
      valuesBy(await scrapeText(exporter), 'container_memory_rss', 'name')
    expect(await names()).toHaveProperty('web')
    await engine.close()
    expect(await names()).toHaveProperty('web')
    expect(await names()).toHaveProperty('web')
    expect(lines.filter((line) => line.includes('cannot ask container engine')).length).toBeLessThanOrEqual(1)
  })

  test('names come back with the engine', async () => {
    const engine = await startEngine({})
    const healthy = dockerRoutes()
    let isDown = true
    for (const [path, answer] of Object.entries(healthy)) {
      engine.routes[path] = (_request, response): void => void (isDown ? response.writeHead(503).end() : response.end(answer as string))
    }
    let nowMs = 0
    const { log, lines } = createMemoryLogger()
    const exporter = keep(createTestExporter({ docker: engine.endpoint }, { root: v1.directory, log, monotonicMs: () => nowMs }))
    await scrapeText(exporter)
    isDown = false
    nowMs = 29_999
    expect(valuesBy(await scrapeText(exporter), 'container_memory_rss', 'name')).not.toHaveProperty('web')
    nowMs = 30_000
    expect(valuesBy(await scrapeText(exporter), 'container_memory_rss', 'name')).toHaveProperty('web')
    expect(lines.at(-1)).toContain('container engine answers again')
  })
})

test('Podman is asked by the same API, for the cgroups that it names', async () => {
  const web = readAnswer('docker/web.json').replaceAll(ids.web, ids.pod).replace('"/web"', '"cellar"').replace('"Pid": 101', '"Pid": 202')
  const engine = await startEngine({ [`/containers/${ids.pod}/json`]: web, '/containers/json': '[]', '/events': '' })
  const text = await scrapeOnce({ podman: engine.endpoint }, { root: v2.directory })
  expect(valuesBy(text, 'container_network_receive_bytes_total', 'id', 'name')).toMatchObject({
    [`/machine.slice/libpod-${ids.pod}.scope,cellar`]: 20_200,
  })
  expect(engine.asked.filter((url) => url.startsWith('/containers/') && !url.startsWith('/containers/json'))).toEqual([
    `/containers/${ids.pod}/json`,
  ])
})

test('CRI-O is asked by its own API', async () => {
  const engine = await startEngine({ [`/containers/${ids.crio}`]: readAnswer('crio/container.json') })
  const text = await scrapeOnce({ crio: engine.socketPath }, { root: v2.directory })
  expect(text).toMatch(
    new RegExp(
      `^container_memory_rss\\{container="web",.*id="[^"]*crio-${ids.crio}.scope",image="registry.example/web:1",name="k8s_web_.*",namespace="shop",pod="web-1"\\}`,
      'm',
    ),
  )
  // The pod has no sandbox: its network is shown with its container.
  expect(valuesBy(text, 'container_network_receive_bytes_total', 'namespace', 'pod')['shop,web-1']).toBe(20_500)
  expect(valuesBy(text, 'container_creation_time_seconds', 'pod')['web-1']).toBe(1_767_323_045)
})

describe('containerd', () => {
  const podLabels = (name: string, kind: string): Buffer =>
    Buffer.concat(
      Object.entries({
        'io.cri-containerd.kind': kind,
        'io.kubernetes.container.name': name,
        'io.kubernetes.pod.name': 'web-0',
        'io.kubernetes.pod.namespace': 'shop',
        'io.kubernetes.pod.uid': '0f3b1c7a-1111-4222-8333-0123456789ab',
      })
        .filter(([, value]) => value !== '')
        .map(([key, value]) => field(2, Buffer.concat([field(1, key), field(2, value)]))),
    )
  const container = (name: string, kind: string): Buffer =>
    field(
      1,
      Buffer.concat([
        field(1, 'x'),
        podLabels(name, kind),
        field(3, 'registry.example/app:2'),
        field(5, Buffer.concat([field(1, 'types'), field(2, '{"process":{"env":["SHOP_NAME=front","HOME=/"]}}')])),
        field(8, Buffer.concat([numberField(1, 1_767_323_045), numberField(2, 5)])),
      ]),
    )
  const process = (id: number, status: number): Buffer =>
    field(1, Buffer.concat([field(1, 'x'), numberField(3, id), numberField(4, status)]))

  test('names pods and containers by the labels of the CRI, and has the network of the sandbox', async () => {
    const grpc = await startFakeGrpc((method, id) => {
      if (id !== ids.app && id !== ids.sandbox) return { status: 5, message: 'container not found' }
      if (method.endsWith('Tasks/Get')) return process(id === ids.app ? 204 : 203, 2)
      return id === ids.app ? container('app', 'container') : container('', 'sandbox')
    })
    closers.push(grpc.close)
    const text = await scrapeOnce({ containerd: grpc.socketPath, env_metadata_whitelist: 'SHOP_' }, { root: v2.directory })
    const pod = '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0f3b1c7a_1111_4222_8333_0123456789ab.slice'
    expect(valuesBy(text, 'container_memory_rss', 'id', 'container', 'namespace', 'pod')).toMatchObject({
      [`${pod},,shop,web-0`]: expect.any(Number),
      [`${pod}/cri-containerd-${ids.app}.scope,app,shop,web-0`]: expect.any(Number),
      [`${pod}/cri-containerd-${ids.sandbox}.scope,,shop,web-0`]: expect.any(Number),
      '/init.scope,,,': 0,
    })
    expect(valuesBy(text, 'container_network_receive_bytes_total', 'name')).toMatchObject({ [ids.sandbox]: 20_300 })
    expect(valuesBy(text, 'container_network_receive_bytes_total', 'name')).not.toHaveProperty(ids.app)
    expect(valuesBy(text, 'container_creation_time_seconds', 'name')[ids.app]).toBe(1_767_323_045)
    expect(text).toContain('container_env_SHOP_NAME="front"')
    expect(text).not.toContain('HOME')
    expect(grpc.asked[0]).toMatchObject({ namespace: 'k8s.io', method: '/containerd.services.containers.v1.Containers/Get' })
  })

  test('a task that has stopped is no container, and is asked for again', async () => {
    const grpc = await startFakeGrpc((method) => (method.endsWith('Tasks/Get') ? process(204, 3) : container('app', 'container')))
    closers.push(grpc.close)
    const text = await scrapeOnce({ containerd: grpc.socketPath }, { root: v2.directory })
    expect(valuesBy(text, 'container_memory_rss', 'name', 'image')).toHaveProperty([`${ids.app},`])
  })

  test.each([
    ['another status', { status: 14, message: 'not now, please' }, 'got 14 not now, please'],
    ['bytes that are no message', Buffer.from([0xff, 0xff]), 'cannot'],
    ['silence', 'silence' as const, 'want an answer within 2000 ms, got none'],
  ])('%s is told once', async (_, answer, reason) => {
    const grpc = await startFakeGrpc(() => answer)
    closers.push(grpc.close)
    const { log, lines } = createMemoryLogger()
    const exporter = keep(createTestExporter({ containerd: grpc.socketPath }, { root: v2.directory, log }))
    const text = await scrapeText(exporter)
    expect(valuesBy(text, 'container_memory_rss', 'name')).toHaveProperty(ids.app)
    const told = lines.filter((line) => line.includes('cannot ask container engine'))
    expect(told).toHaveLength(1)
    expect(told[0]).toContain(reason)
  })

  test('a connection that was lost is opened again', async () => {
    const grpc = await startFakeGrpc((method) => (method.endsWith('Tasks/Get') ? process(204, 2) : container('app', 'container')))
    let nowMs = 0
    const exporter = keep(createTestExporter({ containerd: grpc.socketPath }, { root: v2.directory, monotonicMs: () => nowMs }))
    expect(await scrapeText(exporter)).toContain('namespace="shop"')
    await grpc.close()
    nowMs = 400_000
    expect(await scrapeText(exporter)).toContain('namespace="shop"')
  })
})

describe('the kubelet', () => {
  test('tells containers, namespaces and pods where no engine does', async () => {
    const kubelet = await startEngine({})
    const list = readAnswer('kubelet/pods.json')
    const { createServer } = await import('node:http')
    const server = createServer((request, response) => {
      kubelet.asked.push(request.url ?? '')
      response.end(list)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closers.push(() => new Promise((resolve) => server.close(resolve)))
    const address = server.address()
    const port = address !== null && typeof address === 'object' ? address.port : 0
    const tree = unpackTestTree('v2')
    closers.push(tree.remove)
    let nowMs = 0
    const flags = { kubelet_endpoint: `http://127.0.0.1:${port}` }
    const exporter = keep(createTestExporter(flags, { root: tree.directory, monotonicMs: () => nowMs }))
    const text = await scrapeText(exporter)
    expect(Object.keys(valuesBy(text, 'container_memory_rss', 'container', 'namespace', 'pod', 'name'))).toEqual(
      expect.arrayContaining([`app,shop,web-0,${ids.app}`, `,shop,web-0,`, `web,kube-system,static-node1,${ids.crio}`, `,,,${ids.web}`]),
    )
    // The sandbox is in no list: it is no reason to ask again.
    nowMs = 299_999
    await scrapeText(exporter)
    expect(kubelet.asked).toEqual(['/pods'])
    mkdirSync(join(tree.directory, 'sys/fs/cgroup/kubepods.slice/kubepods-pod0f3b1c7a_1111_4222_8333_0123456789ef.slice'))
    await scrapeText(exporter)
    expect(kubelet.asked).toEqual(['/pods', '/pods'])
    server.closeAllConnections()
  })

  test('that does not answer is warned of once', async () => {
    const { log, lines } = createMemoryLogger()
    const exporter = keep(createTestExporter({ kubelet_endpoint: 'http://127.0.0.1:1' }, { root: v2.directory, log }))
    await scrapeText(exporter)
    await scrapeText(exporter)
    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain('cannot ask kubelet for its pods')
  })
})

describe('events', () => {
  const eventsOf = (text: string): unknown => valuesBy(text, 'narthex_container_events_total', 'name', 'event')
  const event = (action: string, id: string, name: string, atMs: number, more: object = {}): string =>
    `${JSON.stringify({ Type: 'container', Action: action, Actor: { ID: id, Attributes: { image: 'box:1', name, ...more } }, timeNano: atMs * 1e6 })}\n`

  test('Docker`s events are counted once, those of containers between two scrapes too', async () => {
    const engine = await startEngine(dockerRoutes())
    let nowMs = 1_000_000
    const exporter = keep(createTestExporter({ docker: engine.endpoint }, { root: v1.directory, nowMs: () => nowMs }))
    expect(eventsOf(await scrapeText(exporter))).toMatchObject({ 'web,start': 0, 'web,stop': 0, 'side,restart': 0 })
    const short = 'd'.repeat(64)
    nowMs = 1_015_000
    engine.routes['/events'] =
      event('start', short, 'job', 1_001_000) +
      event('oom', short, 'job', 1_002_000) +
      event('die', short, 'job', 1_003_000, { exitCode: '137' }) +
      event('die', ids.web, 'web', 1_004_000, { exitCode: '1' }) +
      event('start', ids.web, 'web', 1_005_000) +
      event('die', ids.side, 'side', 1_015_000)
    const text = await scrapeText(exporter)
    const counts = { 'job,start': 1, 'job,stop': 1, 'job,oom': 1, 'job,restart': 0, 'web,start': 1, 'web,stop': 1, 'web,restart': 1 }
    // What happens at the very end belongs to the next scrape.
    expect(eventsOf(text)).toMatchObject({ ...counts, 'side,stop': 0 })
    expect(valuesBy(text, 'narthex_container_exit_code', 'name', 'container_id')).toEqual({ [`job,${short}`]: 137 })
    expect(valuesBy(text, 'narthex_container_stopped_time_seconds', 'name')).toEqual({ job: 1003 })
    expect(engine.asked.at(-1)).toContain('since=1000.000&until=1015.000')
    engine.routes['/events'] = ''
    nowMs = 1_030_000
    expect(eventsOf(await scrapeText(exporter))).toMatchObject(counts)
    nowMs = 1_003_000 + 3_600_001
    expect(valuesBy(await scrapeText(exporter), 'narthex_container_stopped_time_seconds', 'name')).toEqual({})
  })

  test('what Docker has forgotten is seen by the cgroups', async () => {
    const tree = unpackTestTree('v1')
    closers.push(tree.remove)
    const engine = await startEngine(dockerRoutes())
    const exporter = keep(createTestExporter({ docker: engine.endpoint }, { root: tree.directory }))
    await scrapeText(exporter)
    const cgroups = ['cpu', 'cpuacct', 'memory', 'blkio'].map((controller) =>
      join(tree.directory, 'sys/fs/cgroup', controller, 'docker', ids.web),
    )
    for (const cgroup of cgroups) rmSync(cgroup, { recursive: true })
    const stopped = await scrapeText(exporter)
    expect(eventsOf(stopped)).toMatchObject({ 'web,stop': 1, 'web,start': 0, 'side,stop': 0 })
    expect(valuesBy(stopped, 'container_memory_rss', 'name')).not.toHaveProperty('web')
    for (const cgroup of cgroups) mkdirSync(cgroup)
    writeFileSync(join(cgroups[2]!, 'memory.stat'), 'total_rss 5\n')
    const started = await scrapeText(exporter)
    expect(eventsOf(started)).toMatchObject({ 'web,stop': 1, 'web,start': 1, 'web,restart': 1 })
    expect(valuesBy(started, 'container_memory_rss', 'name')['web']).toBe(5)
    expect(valuesBy(started, 'narthex_container_stopped_time_seconds', 'name')).toEqual({})
  })

  test('a container that is named late has not started late', async () => {
    const engine = await startEngine({ ...dockerRoutes() })
    delete engine.routes[`/containers/${ids.web}/json`]
    let nowMs = 0
    const exporter = keep(createTestExporter({ docker: engine.endpoint }, { root: v1.directory, monotonicMs: () => nowMs }))
    await scrapeText(exporter)
    engine.routes[`/containers/${ids.web}/json`] = readAnswer('docker/web.json')
    nowMs = 10_000
    expect(eventsOf(await scrapeText(exporter))).toMatchObject({ 'web,start': 0 })
  })
})
