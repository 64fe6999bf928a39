import { list, text } from './codec.ts'
import type { NameEscapingScheme, NameValidationScheme, ScrapeProtocol } from './scrape-config.ts'
import type { Codec } from './yaml-decode.ts'

/** In the order in which Prometheus lists what it supports. */
export const scrapeProtocols: readonly ScrapeProtocol[] = [
  'OpenMetricsText0.0.1',
  'OpenMetricsText1.0.0',
  'PrometheusProto',
  'PrometheusText0.0.4',
  'PrometheusText1.0.0',
]

export const defaultScrapeProtocols: readonly ScrapeProtocol[] = [
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
]

/** What is asked for when native histograms are scraped. */
export const protobufFirstProtocols: readonly ScrapeProtocol[] = ['PrometheusProto', ...defaultScrapeProtocols]

/** The names are checked together with the config they stand in, which the text names. */
export const protocolNames: Codec<readonly ScrapeProtocol[]> = list(text as Codec<ScrapeProtocol>, { goType: '[]config.ScrapeProtocol' })

/** undefined, or what is wrong with a list of protocols. */
export function checkScrapeProtocols(protocols: readonly ScrapeProtocol[]): string | undefined {
  if (protocols.length === 0) return 'scrape_protocols cannot be empty'
  const seen = new Set<string>()
  for (const protocol of protocols) {
    if (seen.has(protocol)) return `duplicated protocol in scrape_protocols, got [${protocols.join(' ')}]`
    const problem = checkScrapeProtocol(protocol)
    if (problem !== undefined) return `scrape_protocols: ${problem}`
    seen.add(protocol)
  }
  return undefined
}

export function checkScrapeProtocol(protocol: string): string | undefined {
  if (scrapeProtocols.some((known) => known === protocol)) return undefined
  return `unknown scrape protocol ${protocol}, supported: [${scrapeProtocols.join(' ')}]`
}

export const nameValidationScheme: Codec<NameValidationScheme | ''> = {
  goType: 'string',
  decode(node, context) {
    const given = text.decode(node, context)
    const known = (['', 'utf8', 'legacy'] as const).find((scheme) => scheme === given)
    return known ?? context.fail(node, `unknown name validation method specified, must be either '', 'legacy' or 'utf8', got ${given}`)
  },
  encode: (value) => value,
}

export const nameEscapingScheme: Codec<NameEscapingScheme | ''> = {
  goType: 'string',
  decode(node, context) {
    const given = text.decode(node, context)
    const known = (['', 'allow-utf-8', 'underscores', 'dots', 'values'] as const).find((scheme) => scheme === given)
    const text_ = `unknown name escaping method specified, must be one of 'allow-utf-8', 'underscores', 'dots', or 'values', got ${JSON.stringify(given)}`
    return known ?? context.fail(node, text_)
  },
  encode: (value) => value,
}
