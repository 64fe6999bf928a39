import { pickEnvironment, type ContainerMetadata, type Engine, type EngineEvent } from './engine.ts'
import { refusedBy, type EngineClient } from './engine-client.ts'
import {
  isRecord,
  numberField,
  parseJson,
  parseRecord,
  parseTimeSeconds,
  recordField,
  textField,
  textMap,
  textsField,
} from './json-fields.ts'

/** Events that are taken from one answer. */
const eventsMax = 10_000

const actions: Readonly<Record<string, EngineEvent['action']>> = { start: 'start', die: 'stop', oom: 'oom' }

export interface DockerEngineOptions {
  /** Podman answers the same API. */
  readonly name: 'docker' | 'podman'
  readonly client: EngineClient
  /** Prefixes of environment variables that become labels. */
  readonly envPrefixes: readonly string[]
}

/** Docker, or Podman by the API that it shares with Docker. Only the API is asked, never the storage beneath. */
export function createDockerEngine({ name, client, envPrefixes }: DockerEngineOptions): Engine {
  async function find(id: string, signal: AbortSignal): Promise<ContainerMetadata | undefined> {
    const answer = await client.get(`/containers/${id}/json`, {}, signal)
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw refusedBy(name, answer)
    return readContainer(parseRecord(answer.body, `container of ${name}`))
  }

  function readContainer(container: Readonly<Record<string, unknown>>): ContainerMetadata | undefined {
    const state = recordField(container, 'State')
    if (state['Running'] !== true) return undefined
    const config = recordField(container, 'Config')
    const labels = recordField(config, 'Labels')
    const networkMode = textField(recordField(container, 'HostConfig'), 'NetworkMode')
    return {
      engine: name,
      name: textField(container, 'Name').replace(/^\//, ''),
      image: textField(config, 'Image'),
      labels: textMap(labels),
      env: envPrefixes.length === 0 ? noEnvironment : pickEnvironment(textsField(config, 'Env'), envPrefixes, (key) => key.toLowerCase()),
      createdSeconds: parseTimeSeconds(textField(container, 'Created')),
      startedSeconds: parseTimeSeconds(textField(state, 'StartedAt')),
      processId: numberField(state, 'Pid'),
      hasOwnNetwork: !networkMode.startsWith('container:'),
      hasHealthCheck: textField(recordField(state, 'Health'), 'Status') !== '',
      restarts: numberField(container, 'RestartCount'),
    }
  }

  async function findHealthy(signal: AbortSignal): Promise<ReadonlySet<string>> {
    const answer = await client.get('/containers/json', { filters: JSON.stringify({ health: ['healthy'] }) }, signal)
    if (answer.status !== 200) throw refusedBy(name, answer)
    const list = parseJson(answer.body, `containers of ${name}`)
    if (!Array.isArray(list)) throw new Error(`cannot read containers of ${name}: want a JSON list, got ${typeof list}`)
    return new Set(list.flatMap((item: unknown) => (isRecord(item) ? textField(item, 'Id') : [])))
  }

  /** The daemon remembers the last 256 events of all kinds. */
  async function findEvents(sinceMs: number, untilMs: number, signal: AbortSignal): Promise<readonly EngineEvent[]> {
    // Docker would wait until a time to come; Podman drops fractions of seconds, and does not wait without a stream.
    const parameters: Readonly<Record<string, string>> =
      name === 'docker'
        ? { since: (sinceMs / 1000).toFixed(3), until: (untilMs / 1000).toFixed(3), filters: eventFilter('start', 'die', 'oom') }
        : {
            since: String(Math.floor(sinceMs / 1000)),
            until: String(Math.ceil(untilMs / 1000) + 1),
            filters: eventFilter('start', 'died'),
            stream: 'false',
          }
    const answer = await client.get('/events', parameters, signal)
    if (answer.status !== 200) throw refusedBy(name, answer)
    const events: EngineEvent[] = []
    for (const line of Buffer.from(answer.body).toString('utf8').split('\n')) {
      if (line.trim() === '' || events.length >= eventsMax) continue
      const event = readEvent(parseJson(Buffer.from(line), `event of ${name}`))
      if (event !== undefined && event.atMs >= sinceMs && event.atMs < untilMs) events.push(event)
    }
    return events
  }

  async function findVersion(signal: AbortSignal): Promise<string> {
    const answer = await client.get('/version', {}, signal)
    if (answer.status !== 200) throw refusedBy(name, answer)
    return textField(parseRecord(answer.body, `version of ${name}`), 'Version')
  }

  return { name, isThere: () => client.isThere(), find, findHealthy, findEvents, findVersion, close: () => client.close() }
}

function eventFilter(...events: readonly string[]): string {
  return JSON.stringify({ type: ['container'], event: events })
}

const noEnvironment: ReadonlyMap<string, string> = new Map()

function readEvent(value: unknown): EngineEvent | undefined {
  if (!isRecord(value)) return undefined
  const action = actions[textField(value, 'Action').replace('died', 'die')]
  const actor = recordField(value, 'Actor')
  const attributes = recordField(actor, 'Attributes')
  const id = textField(actor, 'ID')
  if (action === undefined || id === '') return undefined
  const exitCode = Number.parseInt(textField(attributes, 'exitCode') || textField(attributes, 'containerExitCode'), 10)
  return {
    action,
    id,
    name: textField(attributes, 'name'),
    image: textField(attributes, 'image'),
    atMs: numberField(value, 'timeNano') / 1e6 || numberField(value, 'time') * 1000,
    exitCode: action === 'stop' && !Number.isNaN(exitCode) ? exitCode : undefined,
  }
}
