import type { ComponentType, JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { follow, pageUrl, useRoute, type Route } from './route.ts'

export interface Page {
  readonly title: string
  readonly path: string
  readonly component: ComponentType<{ route: Route }>
  /** Paths of Prometheus' own pages that lead here, so that its links keep working. */
  readonly aliases: readonly string[]
}

// As the program wrote it: --web.page-title.
const siteTitle = document.title

/** Head, menu and the page that the address names. */
export function PageFrame({ pages, name = 'Narthex' }: { pages: readonly Page[]; name?: string }): JSX.Element {
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
          {name}
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
