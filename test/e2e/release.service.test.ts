import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askApi, queryVector, repository } from '../kit/narthex.ts'
import { answersOk, findFreePort, makeTemporaryDirectory, startProcess, waitFor, type RunningProcess } from '../kit/process.ts'
import { expectHelperAnswers } from '../kit/risky-mount.ts'

// The single executable, as someone has it who has nothing else: no clone, no Node.js, no PATH.

const environment = { PATH: '' }
const isBuildable = process.platform === 'linux' && process.arch === 'x64'

describe.runIf(isBuildable)('the executable of npm run release', () => {
  let executable: string
  let directory: ReturnType<typeof makeTemporaryDirectory>
  beforeAll(() => {
    const output = execFileSync(process.execPath, [join(repository, 'cli', 'build', 'release.ts'), 'linux-x64'], {
      cwd: repository,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    executable = output.split(' ')[0]!
    directory = makeTemporaryDirectory('narthex-release-')
  }, 120_000)
  afterAll(() => directory.remove())

  const start = (...args: string[]) => startProcess(executable, args, { cwd: directory.path, env: environment })
  const run = (args: readonly string[], input = '') => {
    const result = spawnSync(executable, args, { cwd: directory.path, env: environment, encoding: 'utf8', input, timeout: 20_000 })
    return { status: result.status, stdout: result.stdout, stderr: result.stderr }
  }

  test('stands beside the licences of what is in it', () => {
    const out = dirname(executable)
    expect(readdirSync(out)).toEqual(expect.arrayContaining(['LICENSE', 'THIRD-PARTY-NOTICES', 'narthex-linux-x64']))
    const notices = readFileSync(join(out, 'THIRD-PARTY-NOTICES'), 'utf8')
    for (const name of ['fastify', 'undici', 're2js', 'hysnappy', 'preact', 'uplot', '@codemirror/view', 'Node.js']) {
      expect(notices).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'))
    }
  })

  test('says its version, its commands, and in one line what is wrong', () => {
    const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string }
    const shown = run(['--version'])
    expect(shown).toMatchObject({ status: 0, stderr: '' })
    expect(shown.stdout).toContain(`narthex ${version}`)
    expect(run(['--help']).stdout).toContain('usage: narthex COMMAND')
    expect(run(['up', '--help'])).toMatchObject({ status: 0, stderr: '' })
    const wrong = run(['up', '--no-such-flag'])
    expect(wrong.status).toBe(1)
    expect(wrong.stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(wrong.stderr).toContain('--no-such-flag')
  })

  describe('narthex up', () => {
    let up: RunningProcess
    let url: string
    let args: string[]
    beforeAll(async () => {
      const port = await findFreePort()
      url = `http://127.0.0.1:${port}`
      args = ['up', `--web.listen-address=127.0.0.1:${port}`]
      up = start(...args)
      await waitFor('narthex up', () => answersOk(`${url}/-/ready`), { process: up })
    }, 30_000)
    afterAll(() => up.stop())

    test('scrapes this machine and itself, and answers queries from its own thread', { timeout: 30_000 }, async () => {
      const jobs = await waitFor('both targets', async () => {
        const found = await queryVector(url, `up{instance="${new URL(url).host}"} == 1`)
        return found.length === 2 ? new Set(found.map(({ metric }) => metric['job'])) : undefined
      })
      expect(jobs).toEqual(new Set(['narthex', 'node']))
      expect(
        Number((await queryVector(url, `count(node_cpu_seconds_total{mode="idle",instance="${new URL(url).host}"})`))[0]?.value[1]),
      ).toBeGreaterThan(0)
      // From the native module that the executable unpacks.
      expect(await queryVector(url, `node_timex_tick_seconds{instance="${new URL(url).host}"}`)).toHaveLength(1)
      expect(await queryVector(url, `process_resident_memory_bytes{job="narthex",instance="${new URL(url).host}"}`)).toHaveLength(1)
      const targets = await askApi<{ activeTargets: { health: string; scrapePool: string }[] }>(url, 'api/v1/targets')
      // Whatever else runs on this machine is found as well.
      const builtin = targets.activeTargets.filter(({ scrapePool }) => scrapePool !== 'local')
      expect(builtin.map(({ health }) => health)).toEqual(['up', 'up'])
    })

    test('is asked by narthex query', () => {
      expect(run(['query', 'instant', url, 'vector(1) + 1'])).toMatchObject({
        status: 0,
        stderr: '',
        stdout: expect.stringContaining('=> 2 @'),
      })
    })

    test('serves the pages with all they load', async () => {
      const page = await (await fetch(`${url}/query`)).text()
      const paths = [...page.matchAll(/(?:src|href)="([^"]*assets\/[^"]+)"/g)].map(([, path]) => path!)
      expect(paths.some((path) => path.endsWith('.js'))).toBe(true)
      expect(paths.some((path) => path.endsWith('.css'))).toBe(true)
      for (const path of paths) {
        const response = await fetch(new URL(path, `${url}/`))
        expect(response.status, path).toBe(200)
        expect((await response.arrayBuffer()).byteLength, path).toBeGreaterThan(500)
      }
      expect((await fetch(`${url}/assets/none.js`)).status).toBe(404)
    })

    test('fires Watchdog and delivers it', { timeout: 60_000 }, async () => {
      const firing = async () => (await queryVector(url, 'ALERTS{alertname="Watchdog",alertstate="firing"}')).length === 1
      await waitFor('Watchdog', firing, { timeoutMs: 40_000 })
      const alerts = async () => (await (await fetch(`${url}/alertmanager/api/v2/alerts`)).text()).includes('"Watchdog"')
      await waitFor('Watchdog in the alertmanager', alerts)
    })

    test('ends at Ctrl-C within 5 s, has warned of nothing, and shows the old data at the next start', { timeout: 60_000 }, async () => {
      // Old enough that every sample up to it has arrived.
      const time = Date.now() / 1000 - 8
      const before = await waitFor('samples', async () => {
        const found = await queryVector(url, `node_time_seconds{instance="${new URL(url).host}"}`, time)
        return found.length === 1 ? found : undefined
      })
      const greeting = up.output()
      expect(greeting).toContain(`${url}/api/v1/write`)
      expect(greeting).toContain(join(directory.path, 'data'))
      expect(greeting.toLowerCase()).not.toContain('warn')
      const stopped = performance.now()
      up.child.kill('SIGINT')
      expect(await up.exited).toBe(0)
      expect(performance.now() - stopped).toBeLessThan(5_000)
      expect(readdirSync(directory.path)).toEqual(['data'])

      up = start(...args)
      await waitFor('the second start', () => answersOk(`${url}/-/ready`), { process: up })
      expect(await queryVector(url, `node_time_seconds{instance="${new URL(url).host}"}`, time)).toEqual(before)
    })
  })

  test('runs the node exporter', { timeout: 30_000 }, async () => {
    const port = await findFreePort()
    const exporter = start('exporter', 'node', `--web.listen-address=127.0.0.1:${port}`)
    try {
      await waitFor('the exporter', () => answersOk(`http://127.0.0.1:${port}/`), { process: exporter })
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
      expect(metrics).toMatch(/^node_memory_MemTotal_bytes \d/m)
      expect(metrics).toMatch(/^node_scrape_collector_success\{collector="filesystem"\} 1$/m)
      expect(exporter.output().toLowerCase()).not.toContain('warn')
    } finally {
      await exporter.stop()
    }
  })

  test('an exporter takes the memory of an exporter, and finds the libraries that it needs', { timeout: 30_000 }, async () => {
    const port = await findFreePort()
    writeFileSync(join(directory.path, 'web.yml'), 'http_server_config: { headers: { X-Frame-Options: deny } }\n')
    const closed = await findFreePort()
    writeFileSync(join(directory.path, 'my.cnf'), `[client]\nuser = a\npassword = b\nhost = 127.0.0.1\nport = ${closed}\n`)
    const flags = ['--web.config.file=web.yml', '--config.my-cnf=my.cnf', `--web.listen-address=127.0.0.1:${port}`]
    const exporter = start('exporter', 'mysql', ...flags)
    try {
      await waitFor('the exporter', () => answersOk(`http://127.0.0.1:${port}/`), { process: exporter })
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`)
      expect(answer.headers.get('x-frame-options')).toBe('deny')
      expect(await answer.text()).toMatch(/^mysql_up 0$/m)
      expect(exporter.output()).toMatch(/Error pinging mysqld.*ECONNREFUSED/)
      const anonymousKb = Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${exporter.pid}/status`, 'utf8'))?.[1])
      // Half of what it is with the text of all programs.
      expect(anonymousKb).toBeLessThan(30_000)
    } finally {
      await exporter.stop()
    }
  })

  test('is its own helper for statfs(2): a path per line in, numbers or an error code out', () => {
    const { status, stdout, stderr } = run(['internal-statfs-helper'], '"/"\n"/no/such/path"\n')
    expect(stderr).toBe('')
    expect(stdout).toMatch(/^\d+ \d+ \d+ \d+ \d+ \d+\n!ENOENT\n$/)
    expect(status).toBe(0)
  })

  test('starts itself as the helper for a mount that may hang', { timeout: 90_000 }, () => expectHelperAnswers(executable, [], environment))

  test('compares passwords in its thread', { timeout: 30_000 }, async () => {
    const port = await findFreePort()
    // The password is `narthex`.
    writeFileSync(
      join(directory.path, 'web.yml'),
      'basic_auth_users: {user: $2b$04$996Pt8/umMBHLlP7JgRSseQJss0sWP4kQ9h1wbvxNfImK7o/w16mG}\n',
    )
    writeFileSync(join(directory.path, 'prometheus.yml'), 'global: {}\n')
    const server = start('server', `--web.listen-address=127.0.0.1:${port}`, '--web.config.file=web.yml', '--storage.tsdb.path=guarded')
    try {
      const ask = async (password: string) => {
        const authorization = `Basic ${Buffer.from(`user:${password}`).toString('base64')}`
        return (await fetch(`http://127.0.0.1:${port}/api/v1/query?query=1`, { headers: { authorization } })).status
      }
      await waitFor('the server', async () => (await ask('narthex')) === 200, { process: server })
      expect(await ask('wrong')).toBe(401)
    } finally {
      await server.stop()
    }
    expect(existsSync(join(directory.path, 'guarded', 'wal'))).toBe(true)
  })
})
