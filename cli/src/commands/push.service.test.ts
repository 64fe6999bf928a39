import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { launcher, queryVector, startNarthex, type NarthexProcess } from '@narthex/test/kit/narthex'
import { startPrometheus, type Service } from '@narthex/test/kit/services'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

// `narthex push metrics` to a server of ours and to Debian's Prometheus.

let ours: NarthexProcess
let theirs: Service

beforeAll(async () => {
  const config = 'global: {}\n'
  ;[ours, theirs] = await Promise.all([startNarthex('server', { config }), startPrometheus({ config })])
}, 60_000)
afterAll(() => Promise.all([ours?.remove(), theirs?.stop()]))

const page = '# TYPE requests counter\nrequests{job="own"} 3\n# TYPE lat histogram\nlat_bucket{le="1"} 2\nlat_sum 4\nlat_count 5\n'

function push(args: readonly string[], input = page) {
  const { status, stdout, stderr } = spawnSync(launcher, ['push', 'metrics', ...args], { input, encoding: 'utf8', cwd: ours.directory })
  return { status, out: stdout, err: stderr }
}

async function stored(url: string, job: string): Promise<string[]> {
  const entries = await queryVector(url, `{job="${job}"}`)
  return entries
    .map(({ metric, value }) => `${metric['__name__']} ${metric['le'] ?? metric['exported_job'] ?? ''} ${metric['from'] ?? ''} ${value[1]}`)
    .sort()
}

const success = 'Parsing standard input\n  SUCCESS: metrics pushed to remote write.\n'
const wanted = (from = '') => [
  `lat_bucket +Inf ${from} 5`,
  `lat_bucket 1 ${from} 2`,
  `lat_count  ${from} 5`,
  `lat_sum  ${from} 4`,
  `requests own ${from} 3`,
]

describe('a page of metrics', () => {
  it('is pushed from standard input as 1.0', async () => {
    for (const { url } of [ours, theirs]) {
      expect(push([url])).toEqual({ status: 0, out: success, err: '' })
      expect(await stored(url, 'promtool')).toEqual(wanted())
    }
  })

  it('is pushed from files, with labels, as 2.0, to an address with its path', async () => {
    writeFileSync(join(ours.directory, 'a.txt'), page)
    const flags = ['--label=job=second', '--label=from=here', '--protobuf_message=io.prometheus.write.v2.Request']
    expect(push([...flags, `${ours.url}/api/v1/write`, 'a.txt'])).toEqual({
      status: 0,
      out: 'Parsing metrics file a.txt\n  SUCCESS: metrics file a.txt pushed to remote write.\n',
      err: '',
    })
    expect(await stored(ours.url, 'second')).toEqual(wanted('here'))
  })

  it('that cannot be read or stored is told, and the next one is pushed', () => {
    writeFileSync(join(ours.directory, 'bad.txt'), 'a 1 2 3\n')
    writeFileSync(join(ours.directory, 'good.txt'), 'b 1\n')
    const { status, out, err } = push([ours.url, 'bad.txt', 'good.txt'])
    expect([status, out]).toEqual([
      1,
      'Parsing metrics file bad.txt\nParsing metrics file good.txt\n  SUCCESS: metrics file good.txt pushed to remote write.\n',
    ])
    expect(err).toMatch(/^ {2}FAILED: text format parsing error in line 1: /)
    expect(push([`${ours.url}/nowhere`]).err).toMatch(/^ {2}FAILED: server returned HTTP status 404 Not Found: /)
  })

  it('is pushed as --http.config.file says', () => {
    writeFileSync(join(ours.directory, 'http.yml'), 'basic_auth: {usernam: a}\n')
    expect(push(['--http.config.file=http.yml', ours.url]).err).toContain('http.yml:1:14: field usernam not found')
    writeFileSync(join(ours.directory, 'http.yml'), `proxy_url: ${ours.url}\n`)
    expect(push(['--http.config.file=http.yml', 'http://not-there.invalid']).status).toBe(0)
  })
})
