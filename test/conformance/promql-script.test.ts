import { describe, expect, it } from 'vitest'
import { runPromqlScript } from './promql.ts'
import { parseScript } from './promql-script.ts'
import { describeHistogram } from './compare-histograms.ts'
import { parseSeriesDescription } from './series-description.ts'

function valuesOf(line: string): unknown {
  return parseSeriesDescription(line).values
}

describe('parseSeriesDescription', () => {
  it('writes sequences out', () => {
    expect(valuesOf('m 1 2.5 -3e2')).toEqual([1, 2.5, -300])
    expect(valuesOf('m 1+2x3')).toEqual([1, 3, 5, 7])
    expect(valuesOf('m 8-2x2 _ _x2 stale')).toEqual([8, 6, 4, 'missing', 'missing', 'missing', 'stale'])
    expect(valuesOf('m 5x2 Inf -inf NaN')).toEqual([5, 5, 5, Infinity, -Infinity, NaN])
  })

  it('writes sequences of histograms out', () => {
    const values = parseSeriesDescription(
      'm {{schema:1 sum:1 count:2 buckets:[1 1] offset:-1}}+{{schema:1 sum:1 count:3 buckets:[3]}}x1 1',
    ).values
    const texts = values.map((value) => (typeof value === 'object' ? describeHistogram(value) : value))
    expect(texts).toEqual([
      '{{schema:1 count:2 sum:1 hint:0 buckets:[-1=1 0=1]}}',
      '{{schema:1 count:5 sum:2 hint:0 buckets:[-1=1 0=4]}}',
      1,
    ])
    expect(() => parseSeriesDescription('m {{schema:1 5}}')).toThrow('cannot read histogram: want name:value, got 5')
  })

  it('reads labels as a query would', () => {
    expect(parseSeriesDescription('m{a="b c", "d.e"="}"} 1').labels.toString()).toBe('{__name__="m", a="b c", "d.e"="}"}')
    expect(parseSeriesDescription('{} 1').labels.size).toBe(0)
  })

  it('complains about what is no sequence', () => {
    expect(() => parseSeriesDescription('m 1 two')).toThrow('want a number, _, stale or {{…}}, got two')
  })
})

describe('parseScript', () => {
  it('names the line that it cannot read', () => {
    expect(() => parseScript('load 5m\n  m 1\n\neval sometime m\n')).toThrow('line 4: cannot read command')
  })

  it('reads expectations', () => {
    const [command] = parseScript('eval range from 0 to 10m step 5m m\n  expect warn msg: careful (1:1)\n  expect no_info\n  m 1 2 3\n')
    expect(command).toMatchObject({
      kind: 'eval',
      endMs: 600_000,
      stepMs: 300_000,
      noInfos: true,
      annotations: [{ kind: 'warn', message: 'careful (1:1)' }],
    })
  })
})

describe('runPromqlScript', () => {
  const load = 'load 1m\n  m{x="1"} 1 2 3\n  m{x="2"} 4 5 6\n\n'

  it('passes what is right', () => {
    const { passed, failures } = runPromqlScript(
      'a.test',
      load + 'eval instant at 1m sum(m)\n  {} 7\n\neval range from 0 to 2m step 1m m{x="1"}\n  m{x="1"} 1 2 3\n',
    )
    expect({ passed, failures }).toEqual({ passed: 2, failures: [] })
  })

  it.each([
    ['eval instant at 1m sum(m)\n  {} 8\n', 'want 8, got 7'],
    ['eval instant at 1m sum(m)\n', 'unexpected series {}'],
    ['eval instant at 1m m{x="3"}\n  m{x="3"} 1\n', 'missing series'],
    ['eval instant at 1m m +\n', 'got error: 1:4: parse error'],
    ['eval instant at 1m m\n  expect fail\n', 'want an error'],
    ['eval instant at 1m rate(m[5m])\n  expect no_info\n  {x="1"} 0\n', 'want no info'],
    ['eval instant at 1m sort_desc(m)\n  expect ordered\n  m{x="1"} 2\n  m{x="2"} 5\n', 'want order'],
    ['eval range from 0 to 2m step 1m m{x="1"}\n  m{x="1"} 1 2\n', 'want no value, got 3'],
  ])('reports %j', (text, problem) => {
    const { passed, failures } = runPromqlScript('a.test', load + text)
    expect(passed).toBe(0)
    expect(failures[0]).toContain(problem)
  })

  it.each([
    ['{{sum:1 count:2}}', 'want {{schema:0 count:2 sum:1 hint:0}}, got {{schema:0 count:1 sum:1 hint:0}}'],
    ['{{sum:1 count:1 counter_reset_hint:gauge}}', 'hint:3'],
    ['1', 'want 1, got {{'],
  ])('tells a histogram from %s', (wanted, problem) => {
    const { failures } = runPromqlScript('a.test', `load 1m\n  h {{sum:1 count:1}}\n\neval instant at 0 h\n  h ${wanted}\n`)
    expect(failures[0]).toContain(problem)
  })
})
