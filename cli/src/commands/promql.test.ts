import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { describe, expect, test } from 'vitest'
import { runPromql } from './promql.ts'

async function run(...argv: string[]): Promise<string> {
  const end: unknown = await runPromql(argv).catch((reason: unknown) => reason)
  if (end instanceof PrintAndExit && end.exitCode === 0) return end.text
  if (end instanceof UserError) throw end
  return expect.fail(`want a text, got ${String(end)}`)
}

const long =
  'sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{container!="",image!=""}[5m])) / sum by (namespace, pod) (kube_pod_container_resource_limits{resource="cpu"})'

describe('narthex promql format', () => {
  test('prints a short query on one line and a long one over several', async () => {
    expect(await run('format', 'sum (  up )by(job)>bool 0')).toBe('sum by (job) (up) > bool 0\n')
    expect(await run('format', long)).toBe(`  sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{container!="",image!=""}[5m]))
/
  sum by (namespace, pod) (kube_pod_container_resource_limits{resource="cpu"})
`)
  })

  test('says what is wrong with a query, in the words of the parser', async () => {
    await expect(run('format', 'sum(up')).rejects.toThrow(new UserError('1:7: parse error: unclosed left parenthesis'))
    await expect(run('format', '')).rejects.toThrow('parse error: no expression found in input')
  })

  test('knows experimental functions if they are switched on, before or behind the word', async () => {
    const query = 'limitk(1,up)'
    await expect(run('format', query)).rejects.toThrow('promql-experimental-functions')
    expect(await run('format', '--enable-feature=promql-experimental-functions', query)).toBe('limitk(1, up)\n')
    expect(await run('--enable-feature', 'promql-experimental-functions', 'format', query)).toBe('limitk(1, up)\n')
  })

  test('takes --experimental as promtool does, which it needs there', async () => {
    expect(await run('--experimental', 'format', 'up')).toBe('up\n')
    expect(await run('format', '--experimental', 'up')).toBe('up\n')
  })
})

describe('narthex promql label-matchers', () => {
  test.each([
    [['up', 'job', 'a'], 'up{job="a"}\n'],
    [['--type==~', 'up{job="b"}', 'job', 'a.*'], 'up{job=~"a.*"}\n'],
    [['-t', '!=', 'up + down', 'job', 'a'], 'up{job!="a"} + down{job!="a"}\n'],
    [['-t!~', 'rate(up[5m])', 'job', 'a'], 'rate(up{job!~"a"}[5m])\n'],
    [['up', '-t=~', 'job', 'a'], 'up{job=~"a"}\n'],
    [['up', 'job', ''], 'up{job=""}\n'],
  ])('set %j', async (argv, wanted) => {
    expect(await run('label-matchers', 'set', ...argv)).toBe(wanted)
  })

  test('delete takes all matchers of a label away', async () => {
    expect(await run('label-matchers', 'delete', 'up{job="a",job!="b",x="y"} / on () down{job="a"}', 'job')).toBe(
      'up{x="y"} / on () down\n',
    )
  })

  test.each([
    [['set', 'up{', 'job', 'a'], '1:4: parse error: unexpected end of input inside braces'],
    [['set', '-t=~', 'up', 'job', '('], 'error parsing regexp: missing closing ): `(`'],
    [['set', '{job="a"}', 'job', ''], 'the result is no query: {job=""}: vector selector must contain at least one non-empty matcher'],
    [['delete', 'sum({job="a"})', 'job'], 'the result is no query: sum({}): vector selector must contain at least one non-empty matcher'],
    [['delete', 'up)', 'job'], "1:4: parse error: unexpected right parenthesis ')'"],
    [['set', 'up', 'job'], "narthex promql label-matchers set: error: required argument 'value' not provided, try --help"],
    [['set', '--type=~~', 'up', 'a', 'b'], /enum value must be one of =,!=,=~,!~, got '~~', try --help$/],
    [['delete', 'up', 'job', 'a'], /unexpected a, try --help$/],
    [['add', 'up', 'job', 'a'], 'narthex promql label-matchers: want one of set, delete, got add'],
  ] as const)('%j is refused', async (argv, text) => {
    const error = await run('label-matchers', ...argv).catch((reason: unknown) => reason as UserError)
    expect(error).toBeInstanceOf(UserError)
    if (!(error instanceof UserError)) return
    expect(error.exitCode).toBe(1)
    if (typeof text === 'string') expect(error.message).toContain(text)
    else expect(error.message).toMatch(text)
  })
})
