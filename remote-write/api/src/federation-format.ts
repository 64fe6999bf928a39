export interface FederationFormat {
  readonly format: 'text' | 'protobuf'
  /** False: names are escaped to what Prometheus 2 takes. */
  readonly allowsUtf8: boolean
  /** For the header of the answer. */
  readonly contentType: string
}

const protobufType = 'application/vnd.google.protobuf'
const protobufMessage = 'io.prometheus.client.MetricFamily'
const contentTypes = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  protobuf: `${protobufType}; proto=${protobufMessage}; encoding=delimited`,
}

/** The format that an `Accept` header likes best of exposition text 0.0.4 and delimited protobuf; text if it names neither. */
export function chooseFederationFormat(accept: string): FederationFormat {
  const clauses = accept.split(',').map(readClause)
  const allowsUtf8 = clauses.some(({ parameters }) => parameters.get('escaping') === 'allow-utf-8')
  // The sort keeps the order of those that are liked alike.
  const liked = clauses.toSorted((a, b) => b.weight - a.weight).find((clause) => clause.weight > 0 && formatOf(clause) !== undefined)
  const format = (liked && formatOf(liked)) ?? 'text'
  const escaping = allowsUtf8 ? 'allow-utf-8' : 'underscores'
  return { format, allowsUtf8, contentType: `${contentTypes[format]}; escaping=${escaping}` }
}

interface Clause {
  readonly type: string
  readonly parameters: ReadonlyMap<string, string>
  /** 0 to 1. */
  readonly weight: number
}

function readClause(text: string): Clause {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim())
  const parameters = new Map(
    rest.map((parameter) => {
      const [name = '', value = ''] = parameter.split('=', 2)
      return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, '$1')] as const
    }),
  )
  const weight = parameters.has('q') ? Number(parameters.get('q')) : 1
  return { type: type.toLowerCase(), parameters, weight: Number.isNaN(weight) ? 0 : weight }
}

function formatOf({ type, parameters }: Clause): 'text' | 'protobuf' | undefined {
  if (type === protobufType) {
    return parameters.get('proto') === protobufMessage && parameters.get('encoding') === 'delimited' ? 'protobuf' : undefined
  }
  return type === 'text/plain' && ['', '0.0.4', '1.0.0'].includes(parameters.get('version') ?? '') ? 'text' : undefined
}
