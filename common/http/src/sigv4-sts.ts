import type { HttpClient } from './client.ts'
import type { Expiring } from './expiring-cache.ts'
import { makeCredentials, type Environment } from './sigv4-profiles.ts'
import { signRequest, type AwsCredentials } from './sigv4.ts'
import { requestToken } from './token-request.ts'
import { findChild, parseXml, readText } from './xml-reader.ts'

export interface StsOptions {
  readonly region: string
  readonly useFipsEndpoint: boolean
  readonly env: Environment
  readonly now: () => number
}

/** AWS' service of temporary credentials. */
export class Sts {
  readonly #client: HttpClient
  readonly #options: StsOptions
  readonly #url: URL

  constructor(client: HttpClient, options: StsOptions) {
    this.#client = client
    this.#options = options
    this.#url = new URL(options.env['AWS_ENDPOINT_URL_STS'] ?? options.env['AWS_ENDPOINT_URL'] ?? endpointOf(options))
  }

  assumeRole(roleArn: string, credentials: AwsCredentials, externalId?: string): Promise<Expiring<AwsCredentials>> {
    const parameters = this.#parameters('AssumeRole', roleArn, undefined)
    if (externalId !== undefined) parameters.set('ExternalId', externalId)
    return this.#ask('AssumeRole', parameters, credentials)
  }

  /** `token` is what the cluster gave the pod; such a request is not signed. */
  assumeRoleWithWebIdentity(roleArn: string, token: string, sessionName: string | undefined): Promise<Expiring<AwsCredentials>> {
    const parameters = this.#parameters('AssumeRoleWithWebIdentity', roleArn, sessionName)
    parameters.set('WebIdentityToken', token)
    return this.#ask('AssumeRoleWithWebIdentity', parameters, undefined)
  }

  #parameters(action: string, roleArn: string, sessionName: string | undefined): URLSearchParams {
    const name = sessionName ?? `narthex-${this.#options.now()}`
    return new URLSearchParams({ Action: action, Version: '2011-06-15', RoleArn: roleArn, RoleSessionName: name })
  }

  async #ask(action: string, parameters: URLSearchParams, credentials: AwsCredentials | undefined): Promise<Expiring<AwsCredentials>> {
    const { region, now } = this.#options
    const body = parameters.toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
    const request = { method: 'POST', url: this.#url, headers, body }
    const signed = credentials === undefined ? {} : signRequest(request, credentials, { region, service: 'sts', nowMs: now() })
    const answer = await requestToken(this.#client, { ...request, headers: { ...headers, ...signed } }, `AWS credentials by ${action}`)
    return readAnswer(answer, action)
  }
}

function endpointOf({ region, useFipsEndpoint }: StsOptions): string {
  return `https://${useFipsEndpoint ? 'sts-fips' : 'sts'}.${region}.${awsDomain(region)}`
}

/** The domain under which the endpoints of a region stand. */
export function awsDomain(region: string): string {
  return region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com'
}

function readAnswer(body: Uint8Array, action: string): Expiring<AwsCredentials> {
  const found = findChild(findChild(parseXml(body), `${action}Result`), 'Credentials')
  const credentials = makeCredentials(readText(found, 'AccessKeyId'), readText(found, 'SecretAccessKey'), readText(found, 'SessionToken'))
  const expiresMs = Date.parse(readText(found, 'Expiration') ?? '')
  if (credentials?.sessionToken === undefined || Number.isNaN(expiresMs)) {
    throw new Error(`cannot read the answer to ${action}: want Credentials with keys, SessionToken and Expiration`)
  }
  return { value: credentials, expiresMs }
}
