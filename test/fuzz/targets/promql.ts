import { generateQuery, inNewWords } from '../../conformance/differential/generate-query.ts'
import { makeRandom } from '../../conformance/differential/random.ts'
import type { Expression } from '@narthex/promql/parse/ast'
import { parseExpression, type ParseOptions } from '@narthex/promql/parse/parse'
import { ParseError } from '@narthex/promql/parse/parse-error'
import { prettifyExpression } from '@narthex/promql/parse/prettify'
import { printExpression } from '@narthex/promql/parse/print'
import { describeTree } from '@narthex/promql/parse/tree-json'
import { decode, encode, ensure, type FuzzTarget } from '../fuzz-target.ts'
import { mutate, type Random } from '../mutate.ts'

const everything: ParseOptions = { experimentalFunctions: true, binopFillModifiers: true }

const newer = [
  'sum by (job) (rate(http_requests_total{code=~"5.."}[5m] offset 1m)) / on (job) group_left sum(up) > bool 0.1',
  'histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m:30s] @ end())))',
  '{"metric.name", a!~"b|c"} unless ignoring (x) -foo ^ 0x1F',
  'rate(x[step() * 2 + 1m] offset -(5m / 2)) # comment',
  'increase(x[min_of(range(), 1h)] smoothed) + on (a) group_right ("b.c") fill_left (-1) fill_right (Inf) y',
  'rate(x[1_000] anchored @ 1.5) </ 0.1 >/ limit_ratio(-0.5, limitk by ("x y") (2, h))',
  'info(x, {data=~`a\\b`}) + sort_by_label(y, \'a\', "\\u00e9\\xff\\n")',
  'count_values without (x) ("v", a:b:c{y!="z", x=""}) atan2 sum(-+-a) or vector(NaN < bool 1e-9)',
  'max_over_time((a)[1d2h3m4s5ms:max_of(1, 2)] @ start() offset 1w) and vector(time() % 2 ^ -1.5e3 == bool 1y)',
]

const fragments = [
  ...[
    '(',
    ')',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    "'",
    '`',
    '\\',
    '#',
    '\n',
    ' ',
    '+',
    '-',
    '*',
    '/',
    '%',
    '^',
    '@',
    '=',
    '!',
    '<',
    '>',
    '~',
  ],
  ...['==', '!=', '=~', '!~', '<=', '>/', '</', 'and', 'or', 'unless', 'atan2', 'bool', 'on', 'ignoring', 'by', 'without', 'offset'],
  ...['group_left', 'group_right', 'fill', 'fill_left', 'start', 'end', 'step', 'range', 'min_of', 'max_of', 'anchored', 'smoothed'],
  ...['sum', 'topk', 'quantile', 'count_values', 'limitk', 'rate', 'abs', 'label_replace', 'info', 'time', 'x', 'a:b', '__name__'],
  ...['abs(', 'sum(', 'x or ', '1^', '-(', '(5m+', 'x[(', 'x[1m:][', '+ on (a) group_left ', 'offset -'],
  ...['5m', '1h30m', '0', '1', '.5', '1e3', '0x1F', '1_0', 'Inf', 'NaN', '9223372036', '1e400', 'é', '\u{1f600}', '\u0000', '\ud800'],
]

/** Words in a row, few of them a query; some deeper than anybody writes. */
function makeSoup(random: Random): string {
  let text = ''
  for (let count = 1 + random.below(20); count > 0; count--) {
    const fragment = fragments[random.below(fragments.length)]!
    text += random.below(200) === 0 ? fragment.repeat(1 + random.below(3_000)) : fragment
    if (random.below(3) === 0) text += ' '
  }
  return text
}

function makeQuery(seed: number): string {
  return inNewWords(generateQuery(makeRandom(seed)))
}

const written = [...newer, ...Array.from({ length: 100 }, (_, i) => makeQuery(i))].map(encode)

export const promqlTargets: readonly FuzzTarget[] = [
  {
    name: 'promql',
    seeds: written,
    refusals: ['ParseError'],
    share: 3_000,
    make(random) {
      const kind = random.below(8)
      if (kind < 3) return encode(makeSoup(random))
      return kind === 3 ? mutate([encode(makeQuery(random.below(2 ** 31)))], random) : mutate(written, random)
    },
    read(bytes) {
      const text = decode(bytes)
      try {
        checkText(text, {})
      } catch (error) {
        // Of what is switched off by default nothing is wanted but a refusal.
        if (!(error instanceof ParseError)) throw error
      }
      checkText(text, everything)
    },
  },
]

function checkText(text: string, options: ParseOptions): void {
  let expression: Expression
  try {
    expression = parseExpression(text, options)
  } catch (error) {
    if (error instanceof ParseError) {
      ensure(error.offset >= 0 && error.offset <= text.length, `an error at ${error.offset} of ${text.length}`)
    }
    throw error
  }
  checkSpans(expression, 0, text.length)
  JSON.stringify(describeTree(expression))
  const printed = printExpression(expression)
  checkSame(expression, printed, options)
  ensure(printExpression(parseAgain(printed, options)) === printed, `printed twice, ${printed} is another text`)
  checkSame(expression, prettifyExpression(expression), options)
}

function parseAgain(text: string, options: ParseOptions): Expression {
  try {
    return parseExpression(text, options)
  } catch (cause) {
    throw new Error(`cannot read what was printed: ${text}`, { cause })
  }
}

function checkSame(expression: Expression, text: string, options: ParseOptions): void {
  const again = parseAgain(text, options)
  ensure(isSame(expression, again), `another expression is read from ${text}`)
}

/** Whether two parts of a tree say the same, wherever they stand. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b)
  const [left, right] = [a, b] as [Record<string, unknown>, Record<string, unknown>]
  if ('matchers' in left && 'matchers' in right) {
    const texts = [left, right].map((one) => (one['matchers'] as unknown[]).map(String).sort().join('\n'))
    if (texts[0] !== texts[1]) return false
  }
  const names = new Set([...Object.keys(left), ...Object.keys(right)])
  for (const name of names) {
    if (name === 'start' || name === 'end' || name === 'matchers') continue
    if (!isSame(left[name], right[name])) return false
  }
  return true
}

/** Every node lies inside the one around it. */
function checkSpans(node: unknown, from: number, to: number): void {
  if (typeof node !== 'object' || node === null) return
  if (Array.isArray(node)) {
    for (const item of node) checkSpans(item, from, to)
    return
  }
  const { start = from, end = to, kind } = node as { start?: number; end?: number; kind?: string }
  ensure(from <= start && start <= end && end <= to, `a part from ${start} to ${end} inside one from ${from} to ${to}`)
  // The offset of `x[5m] offset 1h` is that of x, which ends before the bracket.
  const [first, last] = kind === 'vectorSelector' ? [from, to] : [start, end]
  for (const [name, value] of Object.entries(node)) {
    if (name !== 'matchers' && name !== 'function') checkSpans(value, first, last)
  }
}
