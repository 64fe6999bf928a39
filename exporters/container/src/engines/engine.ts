import type { EngineName } from '../container-id.ts'

/** What an engine tells of one container. */
export interface ContainerMetadata {
  readonly engine: EngineName
  /** As people know it: the engine's name of it, else its id. */
  readonly name: string
  readonly image: string
  readonly labels: ReadonlyMap<string, string>
  /** Only the variables that are wanted. */
  readonly env: ReadonlyMap<string, string>
  /** Unix seconds; undefined where the engine does not tell. */
  readonly createdSeconds: number | undefined
  readonly startedSeconds: number | undefined
  /** A process of it in the host's numbering, 0 if it is not known. */
  readonly processId: number
  /** Its network is not that of another container that is shown. */
  readonly hasOwnNetwork: boolean
  /** The engine checks its health. */
  readonly hasHealthCheck: boolean
  /** Times that the engine started it anew. */
  readonly restarts: number
}

/** Health by container id, of those whose health is checked. */
export type Health = 'healthy' | 'unhealthy'

/** Something that happened to a container. */
export interface EngineEvent {
  readonly action: 'start' | 'stop' | 'oom'
  readonly id: string
  readonly name: string
  readonly image: string
  /** Unix milliseconds. */
  readonly atMs: number
  readonly exitCode: number | undefined
}

/** One container engine on this machine. Every call is bounded by its signal. */
export interface Engine {
  readonly name: EngineName
  /** False where its socket does not exist, which is no error. */
  isThere(): boolean
  /** Undefined if it does not know the container or the container does not run. Throws if the engine cannot be asked. */
  find(id: string, signal: AbortSignal): Promise<ContainerMetadata | undefined>
  /** Ids of the containers that are healthy now. */
  findHealthy?(signal: AbortSignal): Promise<ReadonlySet<string>>
  /** What happened in [sinceMs, untilMs), in its order. */
  findEvents?(sinceMs: number, untilMs: number, signal: AbortSignal): Promise<readonly EngineEvent[]>
  findVersion?(signal: AbortSignal): Promise<string>
  close(): Promise<void>
}

/** Which environment variables are wanted: those whose names begin with one of the prefixes. */
export function pickEnvironment(
  variables: readonly string[],
  prefixes: readonly string[],
  nameOf: (name: string) => string,
): ReadonlyMap<string, string> {
  const picked = new Map<string, string>()
  for (const variable of variables) {
    const equals = variable.indexOf('=')
    if (equals < 0) continue
    const name = variable.slice(0, equals)
    if (prefixes.some((prefix) => name.startsWith(prefix))) picked.set(nameOf(name), variable.slice(equals + 1))
  }
  return picked
}
