export interface LandingPage {
  readonly name: string
  readonly description: string
  readonly version: string
  readonly links: readonly { readonly address: string; readonly text: string }[]
}

/** The page at `/`: a self-contained HTML document without outside references. */
export function renderLandingPage(page: LandingPage): string {
  const links = page.links.map((link) => `<li><a href="${escapeHtml(link.address)}">${escapeHtml(link.text)}</a></li>`)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(page.name)}</title>
<style>body{font:16px/1.5 system-ui,sans-serif;margin:3rem auto;max-width:40rem;padding:0 1rem}</style>
<h1>${escapeHtml(page.name)}</h1>
<p>${escapeHtml(page.description)}</p>
<p>Version: ${escapeHtml(page.version)}</p>
<ul>${links.join('')}</ul>
</html>
`
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
