import { joinHostPort } from '../host-port.ts'
import type { Credentials } from './credentials.ts'
import type { Endpoint } from './endpoints.ts'
import type { ProbeResult } from './probe-result.ts'
import type { ProcessFacts } from './process-facts.ts'
import type { FoundService } from './scanner.ts'

export type ServiceState = 'attached' | 'needs_credentials' | 'not_reachable' | 'ignored'

/** One found service from its first scan to its end. */
export interface LocalService {
  found: FoundService
  readonly facts: ProcessFacts
  /** Where it listens, as text: a change means another look. */
  placesKey: string
  endpoints: readonly Endpoint[]
  credentials: Credentials | undefined
  /** Undefined before the first probe. */
  result: ProbeResult | undefined
  /** When a probe that nobody answered is tried again; in the clock's milliseconds. */
  retryMs: number
  retries: number
  lastSeenMs: number
  state: ServiceState
  /** Why it is not attached; empty when it is. */
  reason: string
}

/** Name of the service: that of the rule, or of the program where the rule is for any exporter. */
export function nameOf({ found }: LocalService): string {
  const { rule, process } = found
  if (rule.service !== 'exporter' || process === undefined) return rule.service
  return (process.exeName || process.comm).toLowerCase().replace(/[^a-z0-9]+/g, '_')
}

/** `instance`: host and port, or path, with the machine's name for its own addresses and the container for those behind them. */
export function instanceOf({ found, facts, result }: LocalService, machine: string): string {
  const { process, tcp, unix, isOwnNamespace } = found
  const foreignHost = (): string => facts.containerId.slice(0, 12) || `netns-${/\d+/.exec(process?.netns ?? '')?.[0] ?? process?.pid ?? 0}`
  const address = result !== undefined && 'address' in result ? result.address : undefined
  const dialled = splitPlace(address?.address ?? address?.uri)
  const port = dialled?.port ?? tcp[0]?.port
  if (port === undefined) return `${isOwnNamespace ? machine : foreignHost()}:${unix[0]?.path ?? ''}`
  if (!isOwnNamespace) return joinHostPort(dialled?.host ?? foreignHost(), port)
  const listener = tcp.find((each) => each.port === port)
  const isMachine = listener === undefined || listener.host === '0.0.0.0' || listener.host === '::' || /^127\.|^::1$/.test(listener.host)
  return joinHostPort(isMachine ? machine : listener.host, port)
}

function splitPlace(place: string | undefined): { host: string; port: number } | undefined {
  if (place === undefined) return undefined
  const text = place.includes('://') ? place : `http://${place}`
  if (!URL.canParse(text)) return undefined
  const { hostname, port, protocol } = new URL(text)
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || (protocol === 'https:' ? 443 : 80) }
}

/** The `__meta_local_*` labels. */
export function metaLabels(service: LocalService): Record<string, string> {
  const { found, facts, result, state } = service
  const { process, tcp, unix, startTimeMs } = found
  const address = result !== undefined && 'address' in result ? result.address : undefined
  const port = splitPlace(address?.address ?? address?.uri)?.port ?? tcp[0]?.port
  const listener = tcp.find((each) => each.port === port) ?? tcp[0]
  const labels: Record<string, string> = {
    service: nameOf(service),
    state,
    confidence: result?.kind === 'confirmed' || result?.kind === 'needs-credentials' ? 'probe' : found.matchedBy,
    proto: listener === undefined ? 'unix' : listener.host.includes(':') ? 'tcp6' : 'tcp',
    address: listener?.host ?? '',
    port: listener === undefined ? '' : String(listener.port),
    socket: unix[0]?.path ?? '',
    pid: process === undefined ? '' : String(process.pid),
    comm: process?.comm ?? '',
    exe: facts.exe,
    cmdline: facts.cmdline,
    uid: facts.uid,
    user: facts.user,
    container_id: facts.containerId,
    netns: facts.netns,
    systemd_unit: facts.systemdUnit,
    start_time: startTimeMs === 0 ? '' : String(Math.floor(startTimeMs / 1000)),
  }
  return Object.fromEntries(Object.entries(labels).flatMap(([name, value]) => (value === '' ? [] : [[`__meta_local_${name}`, value]])))
}

/** The line of the Targets page for a service that is not attached. */
export function describeState({ state, reason }: LocalService): string {
  return state === 'needs_credentials' ? `found, needs credentials: ${reason}` : `found, not reachable: ${reason}`
}
