import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { createSupervisordCollector } from './collect-supervisord.ts'
import { collectText, createEnvironment } from './test-collect.ts'
import { parseXmlRpcAnswer } from './xml-rpc-answer.ts'

const member = (name: string, value: string): string => `<member>\n<name>${name}</name>\n<value>${value}</value>\n</member>\n`
const processOf = (name: string, state: number, start: number, exit: number): string =>
  `<value><struct>\n${member('name', `<string>${name}</string>`)}${member('group', 'web &amp; <!-- -->'.replace(' <!-- -->', ''))}` +
  `${member('start', `<int>${start}</int>`)}${member('state', `<i4>${state}</i4>`)}${member('exitstatus', `<int>${exit}</int>`)}` +
  `${member('spawnerr', '<string></string>')}${member('note', '<nil/>')}</struct></value>\n`
const wrap = (value: string): string =>
  `<?xml version='1.0'?>\n<methodResponse>\n<params>\n<param>\n${value}</param>\n</params>\n</methodResponse>\n`
const answer = wrap(
  `<value><array><data>\n${processOf('up', 20, 1_700_000_000, 0)}${processOf('&#100;own', 100, 1_600_000_000, 3)}</data></array></value>\n`,
)

let server: Server
let directory: string | undefined
afterEach(async () => {
  vi.unstubAllEnvs()
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  if (directory !== undefined) rmSync(directory, { recursive: true })
  directory = undefined
})

async function listen(place: string | number, status = 200, body = answer): Promise<{ seen: string[]; port: number }> {
  const seen: string[] = []
  server = createServer((request, response) => {
    let text = ''
    request.on('data', (chunk: Buffer) => (text += chunk.toString()))
    request.on('end', () => {
      seen.push(
        `${request.method} ${request.url} ${request.headers.authorization ?? '-'} ${/<methodName>(.*)<\/methodName>/.exec(text)?.[1]}`,
      )
      response.writeHead(status, { 'content-type': 'text/xml' }).end(body)
    })
  })
  await new Promise<void>((resolve) =>
    typeof place === 'number' ? server.listen(place, '127.0.0.1', resolve) : server.listen(place, resolve),
  )
  const address = server.address()
  return { seen, port: typeof address === 'object' && address !== null ? address.port : 0 }
}

async function collect(url: string | undefined): Promise<string> {
  const collector = createSupervisordCollector(createEnvironment(url === undefined ? {} : { 'collector.supervisord.url': url }))
  try {
    return await collectText(collector)
  } finally {
    await collector.close!()
  }
}

const families = `# TYPE node_supervisord_exit_status gauge
node_supervisord_exit_status{group="web &",name="up"} 0
node_supervisord_exit_status{group="web &",name="down"} 3
# TYPE node_supervisord_start_time_seconds counter
node_supervisord_start_time_seconds{group="web &",name="up"} 1.7e+09
# TYPE node_supervisord_state gauge
node_supervisord_state{group="web &",name="up"} 20
node_supervisord_state{group="web &",name="down"} 100
# TYPE node_supervisord_up gauge
node_supervisord_up{group="web &",name="up"} 1
node_supervisord_up{group="web &",name="down"} 0
`

test('processes are asked over HTTP, with the credentials of the address', async () => {
  const { seen, port } = await listen(0)
  expect(await collect(`http://me:p%40ss@127.0.0.1:${port}/RPC2`)).toBe(families)
  expect(seen).toEqual([`POST /RPC2 Basic ${Buffer.from('me:p@ss').toString('base64')} supervisor.getAllProcessInfo`])
})

test('processes are asked over a Unix socket, and the environment names it', async () => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-supervisor-'))
  await listen(join(directory, 'sock'))
  vi.stubEnv('SUPERVISORD_URL', `unix://${directory}/sock`)
  expect(await collect(undefined)).toBe(families)
})

test.each([
  [401, 'Unauthorized', 'want status 200, got 401'],
  [200, wrap('<value><int>7</int></value>'), 'want an array, got number'],
  [200, wrap('<value><array><data><value>x</value></data></array></value>'), 'want name, group and state, got "x"'],
  [200, '<html>', 'want <methodResponse>, got "<html>"'],
  [
    200,
    '<methodResponse><fault><value><struct><member><name>faultString</name><value><string>UNKNOWN_METHOD</string></value></member></struct></value></fault></methodResponse>',
    'UNKNOWN_METHOD',
  ],
])('an answer that is none is told: %i', async (status, body, reason) => {
  const { port } = await listen(0, status, body)
  await expect(collect(`http://127.0.0.1:${port}/RPC2`)).rejects.toThrow(reason)
})

test('values of all types are read', async () => {
  await listen(0)
  const values =
    '<value><array><data><value><boolean>1</boolean></value><value><double>-1.5</double></value><value/><value></value><value> a &lt; &#x62; </value></data></array></value>'
  expect(parseXmlRpcAnswer(wrap(values))).toEqual([true, -1.5, '', '', ' a < b '])
  const deep = '<value><array><data>'.repeat(40) + '</data></array></value>'.repeat(40)
  expect(() => parseXmlRpcAnswer(wrap(deep))).toThrow('want at most 32 levels')
  expect(() => parseXmlRpcAnswer(wrap('<value><int></int></value>'))).toThrow('want a number, got ""')
})
