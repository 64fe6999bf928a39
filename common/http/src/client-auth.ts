import type { HttpClientConfig } from '@narthex/config/http-client-config'
import type { Secret } from '@narthex/config/secret'
import { createTokenSource } from './client-oauth2.ts'
import type { HttpRequest, HttpResponse } from './client.ts'
import { WatchedFile } from './watched-file.ts'

export interface Authorizer {
  /** Adds what the config says to the headers of one request. */
  addHeaders(headers: Record<string, string>): void | Promise<void>
}

type Source = () => string | Promise<string>
type Step = (headers: Record<string, string>) => void | Promise<void>

/** `fetch` sends token requests. */
export function createAuthorizer(
  config: HttpClientConfig,
  fetch: (request: HttpRequest) => Promise<HttpResponse>,
  now: () => number = Date.now,
): Authorizer {
  const steps: Step[] = [...headerSteps(config)]
  if (config.basicAuth !== undefined) {
    const { username, usernameFile, password, passwordFile } = config.basicAuth
    const readUser = sourceOf(username, undefined, usernameFile)
    const readPassword = sourceOf('', password, passwordFile)
    steps.push(async (headers) => {
      const pair = `${await readUser()}:${await readPassword()}`
      setDefault(headers, 'authorization', `Basic ${Buffer.from(pair, 'utf8').toString('base64')}`)
    })
  }
  if (config.authorization !== undefined) {
    const { type, credentials, credentialsFile } = config.authorization
    const read = sourceOf('', credentials, credentialsFile)
    steps.push(async (headers) => setDefault(headers, 'authorization', `${type} ${await read()}`))
  }
  if (config.oauth2 !== undefined) {
    const read = createTokenSource(config.oauth2, fetch, now)
    steps.push(async (headers) => setDefault(headers, 'authorization', await read()))
  }
  if (steps.length === 0) return { addHeaders: () => undefined }
  return {
    async addHeaders(headers) {
      for (const step of steps) await step(headers)
    },
  }
}

function headerSteps(config: HttpClientConfig): Step[] {
  return Object.entries(config.httpHeaders).map(([name, header]) => {
    const values = [...header.values, ...header.secrets.map((secret) => secret.reveal())]
    const files = header.files.map((path) => new WatchedFile(path))
    return async (headers: Record<string, string>) => {
      const all = [...values]
      for (const file of files) all.push(await file.readText())
      setDefault(headers, name, all.join(', '))
    }
  })
}

function sourceOf(text: string, secret: Secret | undefined, path: string | undefined): Source {
  if (path !== undefined) {
    const file = new WatchedFile(path)
    return () => file.readText()
  }
  return () => secret?.reveal() ?? text
}

// What the caller set itself wins.
function setDefault(headers: Record<string, string>, name: string, value: string): void {
  const lower = name.toLowerCase()
  for (const key of Object.keys(headers)) if (key.toLowerCase() === lower) return
  headers[name] = value
}
