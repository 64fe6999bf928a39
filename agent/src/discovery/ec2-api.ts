import type { Ec2Discovery } from '@narthex/config/cloud-discovery-machines'
import { createHttpClient, type HttpClient, type HttpResponse } from '@narthex/http/client'
import { signRequest } from '@narthex/http/sigv4'
import { AwsAccount } from '@narthex/http/sigv4-credentials'
import { awsDomain } from '@narthex/http/sigv4-sts'
import { withoutCredentials } from '@narthex/http/token-transport'
import { findChild, parseXml, readText, XmlError, type XmlElement } from '@narthex/http/xml-reader'
import { callCloud, eachPage, ListBounds, pageBytesMax, shortenBody } from './cloud-requests.ts'
import type { DiscoveryContext } from './mechanisms.ts'

const apiVersion = '2016-11-15'
/** The service gives up to 1,000; a page of 200 is read in some ten milliseconds, in which nothing else runs. */
const instancesPerPage = 200
const timeoutMs = 60_000

/** Codes with which EC2 asks for patience, whatever the status. */
const throttlingCodes: ReadonlySet<string> = new Set(['RequestLimitExceeded', 'Throttling', 'ThrottlingException', 'RequestThrottled'])
/** Codes of credentials that have ended, with status 400. */
const expiryCodes: ReadonlySet<string> = new Set(['ExpiredToken', 'ExpiredTokenException', 'RequestExpired'])

/** EC2's Query API: forms in, XML out. */
export class Ec2Api {
  readonly #config: Ec2Discovery
  readonly #context: DiscoveryContext
  readonly #account: AwsAccount
  readonly #client: HttpClient

  constructor(config: Ec2Discovery, context: DiscoveryContext) {
    this.#config = config
    this.#context = context
    const { userAgent, env, clock } = context
    this.#account = new AwsAccount(config, { http: withoutCredentials(config.http), userAgent, env, now: () => clock.now() })
    this.#client = createHttpClient(config.http, { userAgent, timeoutMs, bodyBytesMax: pageBytesMax })
  }

  region(): Promise<string> {
    return this.#account.regionOrOwn()
  }

  /** Hands each page of DescribeInstances to `take`. */
  async describeInstances(signal: AbortSignal, take: (page: XmlElement) => void): Promise<void> {
    const parameters: Record<string, string> = { MaxResults: String(instancesPerPage) }
    for (const [i, { name, values }] of this.#config.filters.entries()) {
      parameters[`Filter.${i + 1}.Name`] = name
      for (const [j, value] of values.entries()) parameters[`Filter.${i + 1}.Value.${j + 1}`] = value
    }
    const bounds = new ListBounds()
    await eachPage('EC2 instances', async (token) => {
      const pageParameters = token === undefined ? parameters : { ...parameters, NextToken: token }
      const { root: page, bytes } = await this.#call('DescribeInstances', pageParameters, signal)
      bounds.takePage('EC2 instances', countInstances(page), bytes)
      take(page)
      return readText(page, 'nextToken')
    })
  }

  /** Name → id of the region's availability zones. */
  async describeZones(signal: AbortSignal): Promise<Map<string, string>> {
    const { root: answer } = await this.#call('DescribeAvailabilityZones', {}, signal)
    const zones = new Map<string, string>()
    for (const zone of findChild(answer, 'availabilityZoneInfo')?.children ?? []) {
      const name = readText(zone, 'zoneName')
      const id = readText(zone, 'zoneId')
      if (name !== undefined && id !== undefined) zones.set(name, id)
    }
    return zones
  }

  async close(): Promise<void> {
    await Promise.all([this.#account.close(), this.#client.close()])
  }

  async #call(
    action: string,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<{ root: XmlElement; bytes: number }> {
    const region = await this.region()
    const url = new URL(this.#endpoint(region))
    const body = new URLSearchParams({ Action: action, Version: apiVersion, ...parameters }).toString()
    const contentType = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }
    const { clock } = this.#context
    const answer = await callCloud({
      clock,
      signal,
      send: async () => {
        const credentials = await this.#account.credentials()
        const request = { method: 'POST', url, headers: contentType, body }
        const headers = { ...contentType, ...signRequest(request, credentials, { region, service: 'ec2', nowMs: clock.now() }) }
        return this.#client.request({ ...request, headers, signal })
      },
      isThrottled: (refusal) => throttlingCodes.has(readErrorCode(refusal) ?? ''),
      isRefused: (refusal) => expiryCodes.has(readErrorCode(refusal) ?? ''),
      forget: () => this.#account.forget(),
    })
    if (answer.status !== 200) throw new Error(`could not describe: ${action} answered ${answer.status}: ${describeError(answer)}`)
    const root = parseXml(answer.body)
    if (root.name !== `${action}Response`) throw new Error(`cannot read EC2's answer: want ${action}Response, got ${root.name}`)
    return { root, bytes: answer.body.length }
  }

  #endpoint(region: string): string {
    const { env } = this.#context
    const given = this.#config.endpoint || env['AWS_ENDPOINT_URL_EC2'] || env['AWS_ENDPOINT_URL']
    if (given === undefined || given === '') return `https://ec2.${region}.${awsDomain(region)}/`
    return given.includes('://') ? given : `https://${given}`
  }
}

// <reservationSet><item><instancesSet><item/>…
function countInstances(page: XmlElement): number {
  let count = 0
  for (const reservation of findChild(page, 'reservationSet')?.children ?? []) {
    count += findChild(reservation, 'instancesSet')?.children.length ?? 0
  }
  return count
}

// <Response><Errors><Error><Code/><Message/></Error></Errors></Response>
function readErrorCode(answer: HttpResponse): string | undefined {
  return answer.status === 200 ? undefined : readText(readError(answer), 'Code')
}

function describeError(answer: HttpResponse): string {
  const error = readError(answer)
  const code = readText(error, 'Code')
  return code === undefined ? shortenBody(answer.body) : `${code}: ${(readText(error, 'Message') ?? '').slice(0, 300)}`
}

function readError({ body }: HttpResponse): XmlElement | undefined {
  try {
    return findChild(findChild(parseXml(body), 'Errors'), 'Error')
  } catch (error) {
    if (error instanceof XmlError) return undefined
    throw error
  }
}
