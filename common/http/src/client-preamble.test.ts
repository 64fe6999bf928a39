import { createServer, type AddressInfo, type Server } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { createHttpClient } from './client.ts'

const servers: Server[] = []
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve))
})

it('begins each new connection with the preamble, and only new ones', async () => {
  const seen: string[] = []
  const server = createServer((socket) => {
    const index = seen.push('') - 1
    socket.on('data', (chunk) => {
      seen[index] += chunk.toString()
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const client = createHttpClient(undefined, { preamble: (socket) => Buffer.from(`HELLO ${socket.remotePort}\r\n`) })
  for (let i = 0; i < 2; i++) expect((await client.request({ url: `http://127.0.0.1:${port}/` })).status).toBe(200)
  await client.close()
  expect(seen).toHaveLength(1)
  expect(seen[0]).toMatch(new RegExp(`^HELLO ${port}\\r\\nGET / HTTP/1.1\\r\\n`))
  expect(seen[0]!.match(/HELLO/g)).toHaveLength(1)
})
