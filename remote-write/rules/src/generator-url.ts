/** Link to the table view of an expression, as alerts and templates carry it. The external URL is given without a trailing slash. */
export function generatorUrl(externalUrl: string, expression: string): string {
  return `${externalUrl}/graph?g0.expr=${escapeQuery(expression)}&g0.tab=1`
}

// Go's url.QueryEscape: a space is a plus, and of the marks only - _ . ~ stay.
function escapeQuery(text: string): string {
  const escaped = encodeURIComponent(text.toWellFormed())
  return escaped.replaceAll('%20', '+').replaceAll(/[!'()*]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`)
}
