import type { ComponentType, JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { AlertsPage } from './pages/alerts.tsx'
import { OverviewPage } from './pages/overview.tsx'
import { QueryPage } from './pages/query.tsx'
import { StatusPage } from './pages/status.tsx'
import { TargetsPage } from './pages/targets.tsx'
import { follow, pageUrl, useRoute, type Route } from './route.ts'

interface Page {
  readonly title: string
  readonly path: string
  readonly component: ComponentType<{ route: Route }>
  /** Paths of Prometheus' own pages that lead here, so that its links keep working. */
  readonly aliases: readonly string[]
}

const pages: readonly Page[] = [
  { title: 'Overview', path: '', component: OverviewPage, aliases: [] },
  { title: 'Query', path: 'query', component: QueryPage, aliases: ['graph'] },
  { title: 'Alerts', path: 'alerts', component: AlertsPage, aliases: ['rules'] },
  { title: 'Targets', path: 'targets', component: TargetsPage, aliases: ['service-discovery'] },
  { title: 'Status', path: 'status', component: StatusPage, aliases: ['config', 'flags', 'tsdb-status'] },
]

// As the server wrote it: --web.page-title.
const siteTitle = document.title

export function App(): JSX.Element {
  const route = useRoute()
  const page = pages.find(({ path, aliases }) => path === route.page || aliases.includes(route.page))
  useEffect(() => {
    document.title = page ? `${page.title} · ${siteTitle}` : siteTitle
  }, [page])
  const Current = page?.component
  return (
    <>
      <header>
        <a class="brand" href={pageUrl('')} onClick={follow}>
          Narthex
        </a>
        <nav>
          {pages.map(({ title, path }) => (
            <a key={path} href={pageUrl(path)} class={path === page?.path ? 'current' : ''} onClick={follow}>
              {title}
            </a>
          ))}
        </nav>
      </header>
      <main>{Current ? <Current route={route} /> : <p class="error">There is no page {route.page}.</p>}</main>
    </>
  )
}
