/** What is wrong with a URL for Go's `url.Parse` (the text behind `parse "…": `); undefined when nothing is. */
export function checkGoUrl(text: string): string | undefined {
  // eslint-disable-next-line no-control-regex
  if (/[\x00-\x1f\x7f]/.test(text)) return 'net/url: invalid control character in URL'
  const withoutFragment = text.split('#', 1)[0]!
  const scheme = /^([a-zA-Z][a-zA-Z0-9+.-]*):/.exec(withoutFragment)
  if (scheme === null && withoutFragment.startsWith(':')) return 'missing protocol scheme'
  const rest = scheme === null ? withoutFragment : withoutFragment.slice(scheme[0].length)
  if (scheme === null && !rest.startsWith('/')) {
    const segment = rest.split(/[/?]/, 1)[0]!
    if (segment.includes(':')) return 'first path segment in URL cannot contain colon'
  }
  const escape = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(rest.split('?', 1)[0]!)
  if (escape !== null) return `invalid URL escape ${JSON.stringify(escape[0])}`
  return rest.startsWith('//') ? checkAuthority(rest.slice(2).split(/[/?]/, 1)[0]!) : undefined
}

function checkAuthority(authority: string): string | undefined {
  const host = authority.slice(authority.lastIndexOf('@') + 1)
  if (host.startsWith('[')) {
    const end = host.indexOf(']')
    if (end < 0) return "missing ']' in host"
    const after = host.slice(end + 1)
    return after === '' || /^:\d*$/.test(after) ? undefined : `invalid port ${JSON.stringify(after)} after host`
  }
  const colon = host.lastIndexOf(':')
  if (colon >= 0 && !/^:\d*$/.test(host.slice(colon))) return `invalid port ${JSON.stringify(host.slice(colon))} after host`
  const bad = /[ "<>^`{|}\\]/.exec(host)
  return bad === null ? undefined : `invalid character ${JSON.stringify(bad[0])} in host name`
}

export interface GoUrlParts {
  readonly scheme: string
  readonly host: string
}

/** Scheme and host (with port) as Go finds them; both may be empty. */
export function splitGoUrl(text: string): GoUrlParts {
  const match = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/(?:[^@/?#]*@)?([^/?#]*))?/.exec(text)
  return { scheme: (match?.[1] ?? '').toLowerCase(), host: match?.[2] ?? '' }
}

/**
 * Takes the password out, as Prometheus prints URLs: up to the last `@` of the authority, as Go finds it. A password with `/`, `?` or `#`, which is no
 * URL, is taken out as well: such texts come into error messages.
 */
export function redactGoUrl(text: string): string {
  return text.replace(/^([a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^:@/?#]*):(?:[^/?#]*|(?!\d*[/?#]).*)@/s, '$1:xxxxx@')
}
