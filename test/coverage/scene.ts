import { parseFamilies } from '@narthex/exporter-kit/family-parser'
import { launcher } from '../kit/narthex.ts'
import { findProgram } from '../kit/packages.ts'
import { answersOk, findFreePort, startProcess, waitFor, type RunningProcess } from '../kit/process.ts'
import type { Families, Scene } from './assess.ts'

export interface SceneSetup {
  readonly name: string
  readonly isDefault: boolean
  /** `node`: the command `narthex exporter node`. */
  readonly exporter: string
  /** The Debian program; undefined if there is none. */
  readonly original?: string
  /** Flags of both, those of the listener excepted. */
  readonly flags: readonly string[]
  /** Flags that the installed original lacks. */
  readonly ownFlags?: readonly string[]
  /** Flags that bring the installed original's defaults to those of the newest release. */
  readonly originalFlags?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

/** Starts both exporters, reads each twice (some families come with the second scrape), and ends them. */
export async function playScene(setup: SceneSetup): Promise<Scene> {
  const own = await start(launcher, ['exporter', setup.exporter], [...setup.flags, ...(setup.ownFlags ?? [])], setup)
  try {
    const peer = await startOriginal(setup)
    try {
      const urls = [own.url, ...(peer === undefined ? [] : [peer.url])]
      await Promise.all(urls.map(scrape))
      const [ours, original] = await Promise.all(urls.map(scrape))
      return { name: setup.name, isDefault: setup.isDefault, ours: ours!, original: original ?? new Map() }
    } finally {
      await peer?.process.stop()
    }
  } finally {
    await own.process.stop()
  }
}

async function startOriginal(setup: SceneSetup): Promise<Started | undefined> {
  if (setup.original === undefined) return undefined
  const path = findProgram(setup.original)
  if (path === undefined) throw new Error(`cannot start ${setup.original}: it is not installed`)
  return start(path, [], [...setup.flags, ...(setup.originalFlags ?? [])], setup)
}

interface Started {
  readonly process: RunningProcess
  readonly url: string
}

async function start(program: string, command: readonly string[], flags: readonly string[], setup: SceneSetup): Promise<Started> {
  const address = `127.0.0.1:${await findFreePort()}`
  const url = `http://${address}/metrics`
  const running = startProcess(program, [...command, `--web.listen-address=${address}`, ...flags], {
    env: { ...process.env, ...setup.environment },
  })
  try {
    await waitFor(`${[program, ...command].join(' ')} (${setup.name})`, () => answersOk(url), { process: running, timeoutMs: 60_000 })
  } catch (error) {
    await running.stop()
    throw error
  }
  return { process: running, url }
}

async function scrape(url: string): Promise<Families> {
  const response = await fetch(url, { headers: { 'x-prometheus-scrape-timeout-seconds': '20' } })
  const body = new Uint8Array(await response.arrayBuffer())
  if (response.status !== 200) throw new Error(`cannot read ${url}: want status 200, got ${response.status}`)
  return new Map(parseFamilies(body).map((family) => [family.name, family]))
}
