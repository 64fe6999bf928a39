/** Classes of tokens; operators, keywords and aggregations carry their lower-case word in `type` itself. */
export type TokenType =
  'eof' | 'number' | 'duration' | 'string' | 'identifier' | 'metric identifier' | BracketType | OperatorType | KeywordType | AggregationType

export type BracketType = '(' | ')' | '{' | '}' | '[' | ']' | ',' | ':'

export type OperatorType =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '^'
  | 'atan2'
  | '=='
  | '!='
  | '<='
  | '<'
  | '>='
  | '>'
  | '</'
  | '>/'
  | '=~'
  | '!~'
  | '='
  | '@'
  | 'and'
  | 'or'
  | 'unless'

export type AggregationType =
  | 'avg'
  | 'bottomk'
  | 'count'
  | 'count_values'
  | 'group'
  | 'limitk'
  | 'limit_ratio'
  | 'max'
  | 'min'
  | 'quantile'
  | 'stddev'
  | 'stdvar'
  | 'sum'
  | 'topk'

export type KeywordType =
  | 'anchored'
  | 'bool'
  | 'by'
  | 'end'
  | 'fill'
  | 'fill_left'
  | 'fill_right'
  | 'group_left'
  | 'group_right'
  | 'ignoring'
  | 'max_of'
  | 'min_of'
  | 'offset'
  | 'on'
  | 'range'
  | 'smoothed'
  | 'start'
  | 'step'
  | 'without'

export interface Token {
  readonly type: TokenType
  /** As written. */
  readonly text: string
  /** Offsets into the query in UTF-16 units. */
  readonly start: number
  readonly end: number
}

export const aggregations: ReadonlySet<string> = new Set<AggregationType>([
  'avg',
  'bottomk',
  'count',
  'count_values',
  'group',
  'limitk',
  'limit_ratio',
  'max',
  'min',
  'quantile',
  'stddev',
  'stdvar',
  'sum',
  'topk',
])

export const keywords: ReadonlySet<string> = new Set<KeywordType>([
  'anchored',
  'bool',
  'by',
  'end',
  'fill',
  'fill_left',
  'fill_right',
  'group_left',
  'group_right',
  'ignoring',
  'max_of',
  'min_of',
  'offset',
  'on',
  'range',
  'smoothed',
  'start',
  'step',
  'without',
])

export const wordOperators: ReadonlySet<string> = new Set<OperatorType>(['and', 'or', 'unless', 'atan2'])

export const operators: ReadonlySet<string> = new Set<OperatorType>([
  '+',
  '-',
  '*',
  '/',
  '%',
  '^',
  'atan2',
  '==',
  '!=',
  '<=',
  '<',
  '>=',
  '>',
  '</',
  '>/',
  '=~',
  '!~',
  '@',
  'and',
  'or',
  'unless',
])

/** Keywords that stay usable as metric names: all but those that follow a binary operator. */
export function mayNameMetric(type: TokenType): boolean {
  if (type === 'identifier' || type === 'metric identifier' || aggregations.has(type)) return true
  if (type === 'and' || type === 'or' || type === 'unless') return true
  return keywords.has(type) && !['bool', 'on', 'ignoring', 'group_left', 'group_right'].includes(type)
}

/** Whether an expression may begin with such a token. */
export function mayBeginOperand(type: TokenType): boolean {
  return mayNameMetric(type) || ['number', 'duration', 'string', '(', '{', '+', '-'].includes(type)
}

/** Every word names a label but `without`, which Prometheus' grammar leaves out. */
export function mayNameLabel(type: TokenType): boolean {
  if (type === 'without') return false
  return type === 'identifier' || type === 'metric identifier' || aggregations.has(type) || keywords.has(type) || wordOperators.has(type)
}

/** How Prometheus names a token in `unexpected …`. */
export function describeToken(token: Token, quote: (text: string) => string): string {
  const { type, text } = token
  if (type === 'eof') return 'end of input'
  if (type === 'number' || type === 'duration' || type === 'string' || type === 'identifier' || type === 'metric identifier') {
    if (type === 'identifier' || type === 'metric identifier' || text.length <= 10) return `${type} ${quote(text)}`
    return `${type} ${quote([...text].slice(0, 10).join(''))}...`
  }
  if (operators.has(type)) return `<op:${text}>`
  if (aggregations.has(type)) return `<aggr:${text}>`
  if (keywords.has(type) && !preprocessors.has(type)) return `<${text}>`
  return quote(text)
}

const preprocessors: ReadonlySet<string> = new Set<KeywordType>(['start', 'end', 'step', 'range', 'min_of', 'max_of'])
