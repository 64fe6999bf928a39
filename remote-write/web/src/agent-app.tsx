import type { JSX } from 'preact'
import { PageFrame, type Page } from './page-frame.tsx'
import { AgentConfigPage, AgentFlagsPage } from './pages/agent-status.tsx'
import { RemoteWritePage } from './pages/agent-remote-write.tsx'
import { ServiceDiscoveryPage } from './pages/service-discovery.tsx'
import { TargetsPage } from './pages/targets.tsx'

const pages: readonly Page[] = [
  { title: 'Targets', path: 'targets', component: TargetsPage, aliases: [''] },
  { title: 'Service discovery', path: 'service-discovery', component: ServiceDiscoveryPage, aliases: [] },
  { title: 'Remote write', path: 'remote-write', component: RemoteWritePage, aliases: [] },
  { title: 'Config', path: 'config', component: AgentConfigPage, aliases: ['status'] },
  { title: 'Flags', path: 'flags', component: AgentFlagsPage, aliases: [] },
]

/** The pages of an agent. */
export function AgentApp(): JSX.Element {
  return <PageFrame pages={pages} name="Narthex Agent" />
}
