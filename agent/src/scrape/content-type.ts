import type { ScrapeConfig, ScrapeProtocol } from '@narthex/config/scrape-config'
import { expositionKindOf } from '@narthex/exposition/read-body'
import type { ExpositionKind } from '@narthex/exposition/read-body'
import { quoteText } from '@narthex/model/quote'
import { ScrapeError } from './scrape-error.ts'

const mediaTypes: Readonly<Record<ScrapeProtocol, { readonly type: string; readonly version: string; readonly kind: ExpositionKind }>> = {
  PrometheusProto: {
    type: 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
    version: '',
    kind: 'protobuf',
  },
  'OpenMetricsText0.0.1': { type: 'application/openmetrics-text', version: '0.0.1', kind: 'openmetrics' },
  'OpenMetricsText1.0.0': { type: 'application/openmetrics-text', version: '1.0.0', kind: 'openmetrics' },
  'PrometheusText0.0.4': { type: 'text/plain', version: '0.0.4', kind: 'text' },
  'PrometheusText1.0.0': { type: 'text/plain', version: '1.0.0', kind: 'text' },
}

/** The Accept header that Prometheus 3 sends for these protocols, in their order of preference. */
export function makeAcceptHeader(config: Pick<ScrapeConfig, 'scrapeProtocols' | 'metricNameEscapingScheme'>): string {
  // Prometheus counts down from the number of protocols that it knows, plus one, however few are asked for.
  let weight = 6
  const parts = config.scrapeProtocols.map((protocol) => {
    const { type, version } = mediaTypes[protocol]
    const escaping = version === '1.0.0' ? `;escaping=${config.metricNameEscapingScheme}` : ''
    return `${type}${version === '' ? '' : `;version=${version}`}${escaping};q=0.${weight--}`
  })
  return [...parts, `*/*;q=0.${weight}`].join(',')
}

// Nearly all answers have the same one as the answer before.
let lastContentType = ''
let lastKind: ExpositionKind | undefined

/** Which format a Content-Type says; throws ScrapeError when it names none and there is no fallback. */
export function chooseKind(contentType: string, fallback: ScrapeProtocol | undefined): ExpositionKind {
  if (contentType !== lastContentType) {
    lastContentType = contentType
    lastKind = expositionKindOf(contentType)
  }
  if (lastKind !== undefined) return lastKind
  const mediaType = readMediaType(contentType)
  if (fallback !== undefined) return mediaTypes[fallback].kind
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
