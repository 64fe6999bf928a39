import type { TargetedMouseEvent } from 'preact'
import { useEffect, useState } from 'preact/hooks'

// Pages are told apart by the path below <base>; parameters live in the query string so that a page can be shared.

const base = new URL(document.baseURI).pathname

export interface Route {
  readonly page: string
  readonly parameters: URLSearchParams
}

export function readRoute(): Route {
  const path = window.location.pathname
  const page = path.startsWith(base) ? path.slice(base.length) : path.slice(1)
  return { page: page.replace(/\/$/, ''), parameters: new URLSearchParams(window.location.search) }
}

export function pageUrl(page: string, parameters?: URLSearchParams): string {
  const query = parameters?.toString() ?? ''
  return `${base}${page}${query === '' ? '' : `?${query}`}`
}

export function navigate(url: string, replace = false): void {
  if (replace) window.history.replaceState(null, '', url)
  else window.history.pushState(null, '', url)
  window.dispatchEvent(new PopStateEvent('popstate'))
}

export function useRoute(): Route {
  const [route, setRoute] = useState(readRoute)
  useEffect(() => {
    const update = () => setRoute(readRoute())
    window.addEventListener('popstate', update)
    return () => window.removeEventListener('popstate', update)
  }, [])
  return route
}

/** Stays in the page for a plain click; every other click is the browser's. */
export function follow(event: TargetedMouseEvent<HTMLAnchorElement>): void {
  if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
  event.preventDefault()
  navigate(event.currentTarget.href)
}
