import type { ScrapeConfig, ScrapeProtocol } from '@narthex/config/scrape-config'
import { OpenMetricsParser } from '@narthex/exposition/openmetrics-parser'
import type { ExpositionParser } from '@narthex/exposition/parser'
import { TextParser } from '@narthex/exposition/text-parser'
import { quoteText } from '@narthex/model/quote'
import { ScrapeError } from './scrape-error.ts'

const mediaTypes: Readonly<Record<ScrapeProtocol, { readonly type: string; readonly version: string; readonly parser: ParserKind }>> = {
  PrometheusProto: {
    type: 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
    version: '',
    parser: 'protobuf',
  },
  'OpenMetricsText0.0.1': { type: 'application/openmetrics-text', version: '0.0.1', parser: 'openmetrics' },
  'OpenMetricsText1.0.0': { type: 'application/openmetrics-text', version: '1.0.0', parser: 'openmetrics' },
  'PrometheusText0.0.4': { type: 'text/plain', version: '0.0.4', parser: 'text' },
  'PrometheusText1.0.0': { type: 'text/plain', version: '1.0.0', parser: 'text' },
}

export type ParserKind = 'text' | 'openmetrics' | 'protobuf'

/** The Accept header that Prometheus 3 sends for these protocols, in their order of preference, without those we cannot read. */
export function makeAcceptHeader(config: Pick<ScrapeConfig, 'scrapeProtocols' | 'metricNameEscapingScheme'>): string {
  const protocols = config.scrapeProtocols.filter((protocol) => protocol !== 'PrometheusProto')
  // Prometheus counts down from the number of protocols that it knows, plus one, however few are asked for.
  let weight = 6
  const parts = protocols.map((protocol) => {
    const { type, version } = mediaTypes[protocol]
    const escaping = version === '1.0.0' ? `;escaping=${config.metricNameEscapingScheme}` : ''
    return `${type}${version === '' ? '' : `;version=${version}`}${escaping};q=0.${weight--}`
  })
  return [...parts, `*/*;q=0.${weight}`].join(',')
}

/** Which parser a Content-Type asks for; throws ScrapeError when it names none and there is no fallback. */
export function chooseParser(contentType: string, fallback: ScrapeProtocol | undefined): ParserKind {
  const mediaType = readMediaType(contentType)
  switch (mediaType) {
    case 'application/openmetrics-text':
      return 'openmetrics'
    case 'application/vnd.google.protobuf':
      return 'protobuf'
    case 'text/plain':
      return 'text'
  }
  if (fallback !== undefined) return mediaTypes[fallback].parser
  if (contentType === '') {
    throw new ScrapeError(
      'content-type',
      'non-compliant scrape target sending blank Content-Type and no fallback_scrape_protocol specified for target',
    )
  }
  throw new ScrapeError(
    'content-type',
    mediaType === undefined
      ? `cannot parse Content-Type ${quoteText(contentType)} and no fallback_scrape_protocol for target`
      : `received unsupported Content-Type ${quoteText(contentType)} and no fallback_scrape_protocol specified for target`,
  )
}

/** The media type in lower case, undefined when the header is not one. */
function readMediaType(contentType: string): string | undefined {
  const semicolon = contentType.indexOf(';')
  const type = (semicolon < 0 ? contentType : contentType.slice(0, semicolon)).trim().toLowerCase()
  return /^[!#$%&'*+.^_`|~0-9a-z-]+(?:\/[!#$%&'*+.^_`|~0-9a-z-]+)?$/.test(type) ? type : undefined
}

const textParser = new TextParser()
const openMetricsParser = new OpenMetricsParser()

/** A parser is used in one synchronous step, so all targets share them. */
export function parserOf(kind: ParserKind): ExpositionParser {
  if (kind === 'protobuf') throw new ScrapeError('content-type', 'cannot read scrape: the protobuf exposition format is not built yet')
  return kind === 'openmetrics' ? openMetricsParser : textParser
}
