import { once } from 'node:events'
import type { Server } from 'node:http'
import { duplexPair } from 'node:stream'

/** Instead of the address of a client, which is never this text. */
const rehearsalAddress = 'rehearsal'

export interface RehearsedRequest {
  readonly method: 'GET' | 'POST'
  /** With the route prefix. */
  readonly path: string
  /** Of a POST. */
  readonly form?: string
}

/**
 * Has a server answer a request that nobody sent, over a connection within the process: what has run before is many times as quick when the first real
 * request comes. Resolves when the answer is whole, whatever it says.
 */
export async function rehearse(server: Server, { method, path, form = '' }: RehearsedRequest): Promise<void> {
  const [client, accepted] = duplexPair()
  Object.assign(accepted, { remoteAddress: rehearsalAddress })
  server.emit('connection', accepted)
  const headers = [`${method} ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close']
  if (method === 'POST') headers.push('Content-Type: application/x-www-form-urlencoded', `Content-Length: ${Buffer.byteLength(form)}`)
  client.write(`${headers.join('\r\n')}\r\n\r\n${form}`)
  client.resume()
  await once(client, 'end')
  client.destroy()
  accepted.destroy()
}

/** Whether nobody sent the request: it is not to be counted. `address`: of its client. */
export function isRehearsal(address: string | undefined): boolean {
  return address === rehearsalAddress
}
