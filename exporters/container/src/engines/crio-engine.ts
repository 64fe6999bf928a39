import type { ContainerMetadata, Engine } from './engine.ts'
import { refusedBy, type EngineClient } from './engine-client.ts'
import { numberField, parseRecord, recordField, textField, textMap } from './json-fields.ts'

const nanosecondsPerSecond = 1e9

/** CRI-O, by the HTTP API that it serves beside the CRI on its socket. */
export function createCrioEngine(client: EngineClient): Engine {
  async function find(id: string, signal: AbortSignal): Promise<ContainerMetadata | undefined> {
    const answer = await client.get(`/containers/${id}`, {}, signal)
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw refusedBy('crio', answer)
    const container = parseRecord(answer.body, 'container of crio')
    const labels = textMap(recordField(container, 'labels'))
    const restarts = Number.parseInt(textField(recordField(container, 'annotations'), 'io.kubernetes.container.restartCount'), 10)
    const created = numberField(container, 'created_time')
    return {
      engine: 'crio',
      name: textField(container, 'name'),
      image: textField(container, 'image'),
      labels,
      env: new Map(),
      createdSeconds: created > 0 ? Math.floor(created / nanosecondsPerSecond) : undefined,
      startedSeconds: undefined,
      processId: numberField(container, 'pid'),
      // All containers of a pod share the network of the one that holds it.
      hasOwnNetwork: labels.get('io.kubernetes.container.name') === 'POD',
      hasHealthCheck: false,
      restarts: Number.isNaN(restarts) ? 0 : restarts,
    }
  }

  return { name: 'crio', isThere: () => client.isThere(), find, close: () => client.close() }
}
