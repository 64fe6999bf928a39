import { joinHostPort } from '../host-port.ts'
import type { ServiceAddress } from '../../embedded/embedded-exporter.ts'
import type { Credentials } from './credentials.ts'
import type { Endpoint } from './endpoints.ts'
import type { ProcessFacts } from './process-facts.ts'
import type { FoundService } from './scanner.ts'

/** What one look at a service found out. */
export type ProbeResult =
  /** It is the service, and we may come in as `address` says; `uri` is the address of a metrics page or of stub_status. */
  | { readonly kind: 'confirmed'; readonly address: ServiceAddress }
  /** It is the service and did not let us in; `address` lacks the credentials. */
  | { readonly kind: 'needs-credentials'; readonly reason: string; readonly address: ServiceAddress }
  /** Nobody answered: worth another try later. */
  | { readonly kind: 'not-reachable'; readonly reason: string }
  /** What answered is something else. */
  | { readonly kind: 'other'; readonly reason: string }

export interface ProbeTarget {
  readonly service: FoundService
  readonly facts: ProcessFacts
  /** Best first; not empty. */
  readonly endpoints: readonly Endpoint[]
  readonly credentials: Credentials | undefined
}

/** Where an exporter finds what was probed. */
export function addressOf(endpoint: Endpoint): ServiceAddress {
  if (endpoint.kind === 'unix') return { socketPath: endpoint.path }
  return { address: joinHostPort(endpoint.host, endpoint.port) }
}

/** What a service said, as one line that is not empty: it stands on a page and in the log. */
export function oneLine(text: string): string {
  const line = text.replace(/\p{Cc}+/gu, ' ').trim()
  return line === '' ? 'it does not say why' : line
}
