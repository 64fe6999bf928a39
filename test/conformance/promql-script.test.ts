import { describe, expect, it } from 'vitest'
import { runPromqlScript } from './promql.ts'
import { parseScript } from './promql-script.ts'

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
    ['{{sum:1 count:2}}', 'want {{count:2 sum:1}}, got {{count:1 sum:1}}'],
    ['{{sum:1 count:1 counter_reset_hint:gauge}}', 'counter_reset_hint:gauge'],
    ['1', 'want 1, got {{'],
  ])('tells a histogram from %s', (wanted, problem) => {
    const { failures } = runPromqlScript('a.test', `load 1m\n  h {{sum:1 count:1}}\n\neval instant at 0 h\n  h ${wanted}\n`)
    expect(failures[0]).toContain(problem)
  })
})
