import type { HttpClient } from './client.ts'
import type { Expiring } from './expiring-cache.ts'
import { makeCredentials, type Environment } from './sigv4-profiles.ts'
import type { AwsCredentials } from './sigv4.ts'
import { parseTokenJson, requestToken, requireText, TokenRequestError } from './token-request.ts'
import { WatchedFile } from './watched-file.ts'

const containerHost = 'http://169.254.170.2'
const instanceHost = 'http://169.254.169.254'
/** Hosts of a container's credentials that plain HTTP may reach, besides loopback: those of ECS and EKS. */
const containerHosts: ReadonlySet<string> = new Set(['169.254.170.2', '169.254.170.23', '[fd00:ec2::23]'])
const sessionSeconds = 21_600
// Where there is no such service nothing answers: it must not take long to know.
const instanceTimeoutMs = 2_000

/** The credentials that ECS or EKS gives this container, undefined outside of one. */
export async function fetchContainerCredentials(client: HttpClient, env: Environment): Promise<Expiring<AwsCredentials> | undefined> {
  const relative = env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI']
  const full = env['AWS_CONTAINER_CREDENTIALS_FULL_URI']
  if (relative === undefined && full === undefined) return undefined
  const url = relative === undefined ? checkContainerUrl(full!) : new URL(relative, containerHost)
  const tokenFile = env['AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE']
  const token = tokenFile === undefined ? env['AWS_CONTAINER_AUTHORIZATION_TOKEN'] : await new WatchedFile(tokenFile).readText()
  const headers: Record<string, string> = token === undefined ? {} : { authorization: token }
  return readCredentials(await requestToken(client, { url, headers }, 'AWS credentials of the container'))
}

function checkContainerUrl(text: string): URL {
  const url = new URL(text)
  const isLoopback = url.hostname === 'localhost' || url.hostname === '[::1]' || url.hostname.startsWith('127.')
  if (url.protocol === 'https:' || isLoopback || containerHosts.has(url.hostname)) return url
  throw new Error(
    `cannot fetch AWS credentials of the container: want https or a local address in AWS_CONTAINER_CREDENTIALS_FULL_URI, got ${url.host}`,
  )
}

/** The metadata service of an EC2 machine, spoken to by version 2 (with a session token). */
export class InstanceMetadata {
  readonly #client: HttpClient
  readonly #base: string
  readonly #isOff: boolean

  constructor(client: HttpClient, env: Environment) {
    this.#client = client
    this.#base = (env['AWS_EC2_METADATA_SERVICE_ENDPOINT'] ?? instanceHost).replace(/\/$/, '')
    this.#isOff = env['AWS_EC2_METADATA_DISABLED']?.toLowerCase() === 'true'
  }

  /** The credentials of the machine's role. */
  async fetchCredentials(): Promise<Expiring<AwsCredentials>> {
    const path = '/latest/meta-data/iam/security-credentials/'
    const token = await this.#startSession()
    const role = (await this.#ask(path, token)).toString('utf8').split('\n')[0]!.trim()
    if (role === '') throw new Error('cannot fetch AWS credentials of the machine: it has no role')
    return readCredentials(await this.#ask(path + encodeURIComponent(role), token))
  }

  /** The region the machine stands in. */
  async fetchRegion(): Promise<string> {
    const document = await this.#ask('/latest/dynamic/instance-identity/document', await this.#startSession())
    return requireText(parseTokenJson(document, 'the identity document of the machine'), 'region', 'the identity document of the machine')
  }

  async #startSession(): Promise<string> {
    if (this.#isOff) throw new Error('cannot ask the EC2 metadata service: AWS_EC2_METADATA_DISABLED is set')
    const headers = { 'x-aws-ec2-metadata-token-ttl-seconds': String(sessionSeconds) }
    const url = `${this.#base}/latest/api/token`
    const body = await requestToken(
      this.#client,
      { url, method: 'PUT', headers, timeoutMs: instanceTimeoutMs },
      'a session of the EC2 metadata service',
    )
    return Buffer.from(body).toString('utf8').trim()
  }

  async #ask(path: string, token: string): Promise<Buffer> {
    const headers = { 'x-aws-ec2-metadata-token': token }
    const request = { url: this.#base + path, headers, timeoutMs: instanceTimeoutMs }
    try {
      return Buffer.from(await requestToken(this.#client, request, 'EC2 metadata'))
    } catch (error) {
      if (error instanceof TokenRequestError && error.status === 404) {
        throw new Error(`cannot fetch EC2 metadata: the machine has no ${path}, perhaps no role`, { cause: error })
      }
      throw error
    }
  }
}

// Containers and machines answer in the same shape.
function readCredentials(body: Uint8Array): Expiring<AwsCredentials> {
  const what = 'AWS credentials'
  const fields = parseTokenJson(body, what)
  const code = fields['Code']
  if (code !== undefined && code !== 'Success') throw new Error(`cannot read ${what}: the service says ${String(code).slice(0, 100)}`)
  const credentials = makeCredentials(
    requireText(fields, 'AccessKeyId', what),
    requireText(fields, 'SecretAccessKey', what),
    requireText(fields, 'Token', what),
  )
  const expiresMs = Date.parse(requireText(fields, 'Expiration', what))
  if (Number.isNaN(expiresMs)) throw new Error(`cannot read ${what}: want a time as Expiration`)
  return { value: credentials!, expiresMs }
}
