import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askApi, launcher, startNarthex, type NarthexProcess } from '../kit/narthex.ts'
import { waitFor } from '../kit/process.ts'

// A running agent takes a changed configuration in all three ways, and keeps the old one when the new one is bad.

const job = (name: string) => `scrape_configs:\n  - job_name: ${name}\n    static_configs: [{targets: ['127.0.0.1:1']}]\n`
const bad = 'scrape_configs:\n  - job_nam: x\n'

async function jobs(agent: NarthexProcess): Promise<readonly string[]> {
  return (await askApi<{ scrapePools: readonly string[] }>(agent.url, 'api/v1/scrape_pools')).scrapePools
}

const write = (agent: NarthexProcess, name: string, text: string) => writeFileSync(join(agent.directory, name), text)

async function reloadSucceeded(agent: NarthexProcess): Promise<number> {
  const text = await (await fetch(`${agent.url}/metrics`)).text()
  return Number(/^prometheus_config_last_reload_successful (\d)$/m.exec(text)?.[1])
}

/** The bad configuration is told with its place, and `wanted` goes on. */
async function expectRefused(agent: NarthexProcess, wanted: readonly string[]): Promise<void> {
  const place = `${agent.directory}/prometheus.yml:2:5: field job_nam not found in type config.ScrapeConfig`
  await waitFor('the refusal', () => agent.output().includes(place), { process: agent })
  await expect.poll(() => reloadSucceeded(agent)).toBe(0)
  expect(await jobs(agent)).toEqual(wanted)
}

let agents: NarthexProcess[] = []
let plain: NarthexProcess
let withLifecycle: NarthexProcess
let watching: NarthexProcess

beforeAll(async () => {
  const start = (...args: string[]) => startNarthex('agent', { config: job('a'), args })
  plain = await start()
  agents = [
    plain,
    ...(await Promise.all([start('--web.enable-lifecycle'), start('--config.auto-reload', '--config.auto-reload-interval=100ms')])),
  ]
  withLifecycle = agents[1]!
  watching = agents[2]!
}, 60_000)

afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.remove()))
})

describe('SIGHUP', () => {
  test('takes the new configuration, and keeps the old one when the new one is bad', { timeout: 20_000 }, async () => {
    write(plain, 'prometheus.yml', job('b'))
    plain.child.kill('SIGHUP')
    await expect.poll(() => jobs(plain)).toEqual(['b'])
    expect(await reloadSucceeded(plain)).toBe(1)
    write(plain, 'prometheus.yml', bad)
    plain.child.kill('SIGHUP')
    await expectRefused(plain, ['b'])
    write(plain, 'prometheus.yml', job('c'))
    plain.child.kill('SIGHUP')
    await expect.poll(() => jobs(plain)).toEqual(['c'])
    await expect.poll(() => reloadSucceeded(plain)).toBe(1)
  })

  test('takes another set of scrape_config_files', { timeout: 20_000 }, async () => {
    write(plain, 'more-1.yml', job('x'))
    write(plain, 'prometheus.yml', `scrape_config_files: ['more-*.yml']\n${job('c')}`)
    plain.child.kill('SIGHUP')
    await expect.poll(() => jobs(plain)).toEqual(['c', 'x'])
    write(plain, 'more-1.yml', job('y'))
    plain.child.kill('SIGHUP')
    await expect.poll(() => jobs(plain)).toEqual(['c', 'y'])
  })
})

describe('POST /-/reload', () => {
  const reload = async (agent: NarthexProcess) => {
    const response = await fetch(`${agent.url}/-/reload`, { method: 'POST' })
    return { status: response.status, text: await response.text() }
  }

  test('is forbidden without --web.enable-lifecycle', async () => {
    expect(await reload(plain)).toEqual({ status: 403, text: 'Lifecycle API is not enabled.' })
  })

  test('answers when the new configuration is in force, or with what is wrong with it', { timeout: 20_000 }, async () => {
    write(withLifecycle, 'prometheus.yml', job('b'))
    expect(await reload(withLifecycle)).toEqual({ status: 200, text: '' })
    expect(await jobs(withLifecycle)).toEqual(['b'])
    write(withLifecycle, 'prometheus.yml', bad)
    const path = `${withLifecycle.directory}/prometheus.yml`
    expect(await reload(withLifecycle)).toEqual({
      status: 500,
      text: `failed to reload config: couldn't load configuration (--config.file="${path}"): ${path}:2:5: field job_nam not found in type config.ScrapeConfig\n`,
    })
    await expectRefused(withLifecycle, ['b'])
  })
})

describe('--config.auto-reload', () => {
  test('takes changes of the file and of the files that it includes, and tells a bad one once', { timeout: 20_000 }, async () => {
    write(watching, 'more-1.yml', job('x'))
    write(watching, 'prometheus.yml', `scrape_config_files: ['more-*.yml']\n${job('b')}`)
    await expect.poll(() => jobs(watching)).toEqual(['b', 'x'])
    write(watching, 'more-2.yml', job('y'))
    await expect.poll(() => jobs(watching)).toEqual(['b', 'x', 'y'])
    write(watching, 'prometheus.yml', bad)
    await expectRefused(watching, ['b', 'x', 'y'])
    write(watching, 'prometheus.yml', job('c'))
    await expect.poll(() => jobs(watching)).toEqual(['c'])
    expect(watching.output().match(/Error reloading config/g)).toHaveLength(1)
  })
})

describe('an agent that is started wrongly says in one line what is wrong', () => {
  const run = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync(launcher, ['agent', ...args], { encoding: 'utf8', timeout: 15_000, cwd: plain.directory })
    return { status, lines: `${stdout}${stderr}`.trimEnd().split('\n') }
  }

  test('a configuration that is not there', () => {
    const { status, lines } = run('--config.file=none.yml')
    expect(lines).toEqual(['Error loading config (--config.file=none.yml): open none.yml: no such file or directory'])
    expect(status).toBe(2)
  })

  test('a shard index that is out of range', () => {
    const { status, lines } = run('--config.file=prometheus.yml', '--shard.count=2', '--shard.index=2')
    expect(lines).toEqual(['narthex agent: cannot use --shard.index: want a number from 0 to 1, got 2'])
    expect(status).toBe(2)
  })

  test('a directory that another agent uses', () => {
    const { status, lines } = run(
      '--config.file=prometheus.yml',
      '--web.listen-address=127.0.0.1:0',
      '--storage.agent.path=data',
      '--log.level=error',
    )
    expect(lines).toHaveLength(1)
    expect(lines[0]).toMatch(/^narthex agent: cannot use --storage\.agent\.path=data: cannot lock \S+: process \d+ holds it$/)
    expect(status).toBe(1)
  })
})
