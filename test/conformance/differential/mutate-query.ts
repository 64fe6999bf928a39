const token = /\s+|[A-Za-z_][A-Za-z0-9_:]*|"(?:[^"\\]|\\.)*"|[0-9.]+[a-z]*|[=!<>~]+\/?|./gsu
const strays = [
  ...[
    '(',
    ')',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '@',
    'offset',
    'by',
    'on',
    'bool',
    'group_left',
    'sum',
    'rate',
    'x',
    '5m',
    '1',
    '"text"',
    "'",
  ],
  ...[
    '=',
    '==',
    '=~',
    '!',
    '</',
    '#',
    'fill',
    'anchored',
    'smoothed',
    'step()',
    'start()',
    'and',
    'unless',
    'atan2',
    '-',
    '^',
    '\\',
    'é',
    '1e',
    '0x',
  ],
  ...['without', 'ignoring', 'inf', '5', '1h30', '_', '`raw`', '$', 'limitk', 'topk', 'count_values', 'info', 'offset 5m', '@ end()', '.'],
]

/** The query with one or two mistakes, as somebody who types makes them. */
export function mutateQuery(random: () => number, query: string): string {
  const tokens = [...query.matchAll(token)].map(([text]) => text)
  const at = () => Math.floor(random() * tokens.length)
  for (let i = random() < 0.7 ? 1 : 2; i > 0; i--) {
    const stray = strays[Math.floor(random() * strays.length)]!
    const kind = random()
    if (kind < 0.3) tokens.splice(at(), 1)
    else if (kind < 0.6) tokens.splice(at(), 0, stray)
    else if (kind < 0.85) tokens[at()] = stray
    else tokens.splice(at(), 0, tokens[at()] ?? '')
  }
  return tokens.join('')
}
