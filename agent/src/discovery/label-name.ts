/** A label name of any text, as Prometheus makes it: what is not a letter, digit or underscore becomes an underscore. */
export function sanitizeLabelName(text: string): string {
  return text.replaceAll(/[^a-zA-Z0-9_]/gu, '_')
}
