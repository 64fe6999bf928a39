import type { JSX } from 'preact'
import { PageFrame, type Page } from './page-frame.tsx'
import { AlertsPage } from './pages/alerts.tsx'
import { OverviewPage } from './pages/overview.tsx'
import { QueryPage } from './pages/query.tsx'
import { StartingPage } from './pages/starting.tsx'
import { StatusPage } from './pages/status.tsx'
import { TargetsPage } from './pages/targets.tsx'
import { useStart } from './use-start.ts'

const pages: readonly Page[] = [
  { title: 'Overview', path: '', component: OverviewPage, aliases: [] },
  { title: 'Query', path: 'query', component: QueryPage, aliases: ['graph'] },
  { title: 'Alerts', path: 'alerts', component: AlertsPage, aliases: ['rules'] },
  { title: 'Targets', path: 'targets', component: TargetsPage, aliases: ['service-discovery'] },
  { title: 'Status', path: 'status', component: StatusPage, aliases: ['config', 'flags', 'tsdb-status'] },
]

export function App(): JSX.Element {
  const start = useStart()
  if (start === 'asking') return <main />
  if (start === 'ready') return <PageFrame pages={pages} />
  return (
    <main>
      <StartingPage progress={start} />
    </main>
  )
}
