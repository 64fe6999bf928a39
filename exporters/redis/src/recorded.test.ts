import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { array, bulk, startFakeRedis, unknownCommand } from './fake-redis.ts'
import { scrapeOnce } from './test-exporter.ts'

// Answers of servers of many versions, recorded on a loopback port with a few keys, a stream and an error; INFO without what names the
// machine, CONFIG with some settings only. UPDATE_RECORDED=1 writes what is shown now, to be read before it is committed.

const directory = join(import.meta.dirname, '..', 'testdata')

/** Texts are bulk strings, an object with `error` is an error. */
type Answer = string | number | null | { readonly error: string } | readonly Answer[]

function encode(answer: Answer): string {
  if (answer === null) return '$-1\r\n'
  if (typeof answer === 'string') return bulk(answer)
  if (typeof answer === 'number') return `:${answer}\r\n`
  if ('error' in answer) return `-${answer.error}\r\n`
  return array(...answer.map(encode))
}

/** What varies from run to run, or tells of the exporter. */
const unsteady = /^(# (HELP|TYPE) )?redis_(exporter_|last_key_groups|target_scrape)/

const recorded = globSync('*/answers.json', { cwd: directory }).sort()

test('there are recorded answers', () => {
  expect(recorded.length).toBeGreaterThan(5)
})

test.each(recorded)('%s gives the expected exposition', async (file) => {
  const answers = JSON.parse(readFileSync(join(directory, file), 'utf8')) as Record<string, Answer>
  const server = await startFakeRedis((command) => {
    const answer = answers[command.join(' ')]
    return answer === undefined ? unknownCommand : encode(answer)
  })
  try {
    const flags = { 'redis.addr': server.url, 'include-modules-metrics': true, 'include-config-metrics': true, 'export-client-list': true }
    const text = await scrapeOnce(flags, { nowMs: () => 1_800_000_000_000 })
    const lines = text.split('\n').filter((line) => !unsteady.test(line))
    const shown = lines.join('\n').replaceAll(`tcp_port="${server.port}"`, 'tcp_port="6379"')
    const expected = join(directory, file, '..', 'expected.prom')
    if (process.env['UPDATE_RECORDED'] === '1') writeFileSync(expected, shown)
    expect(shown).toBe(readFileSync(expected, 'utf8'))
  } finally {
    await server.close()
  }
})
