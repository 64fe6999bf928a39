import type { AzureDiscovery } from '@narthex/config/cloud-discovery-machines'
import type { AzureIdentity } from '@narthex/config/cloud-auth-config'
import { Secret } from '@narthex/config/secret'
import { AzureTokens } from '@narthex/http/azure-auth'
import { createHttpClient, type HttpClient } from '@narthex/http/client'
import { withoutCredentials } from '@narthex/http/token-transport'
import { callCloud, eachPage, pageBytesMax, shortenBody, type ListBounds } from './cloud-requests.ts'
import { isRecord, listField, parseJson, textField, type JsonRecord } from './json-fields.ts'
import type { DiscoveryContext } from './mechanisms.ts'

const computeVersion = '2023-09-01'
const networkVersion = '2023-09-01'
/** The newest one for the network of machines in a scale set. */
const scaleSetNetworkVersion = '2018-10-01'
const timeoutMs = 60_000
const nicExpand = 'IPConfigurations/PublicIPAddress'

/** Where one of Azure's clouds answers. */
export interface AzureEndpoints {
  /** Of Entra ID. */
  readonly authority: string
  /** Of the Resource Manager. */
  readonly manager: string
  /** What tokens for the Resource Manager are asked for with. */
  readonly scope: string
}

const publicCloud: AzureEndpoints = {
  authority: 'https://login.microsoftonline.com',
  manager: 'https://management.azure.com',
  scope: 'https://management.azure.com/.default',
}
const chinaCloud: AzureEndpoints = {
  authority: 'https://login.chinacloudapi.cn',
  manager: 'https://management.chinacloudapi.cn',
  scope: 'https://management.core.chinacloudapi.cn/.default',
}
const governmentCloud: AzureEndpoints = {
  authority: 'https://login.microsoftonline.us',
  manager: 'https://management.usgovcloudapi.net',
  scope: 'https://management.core.usgovcloudapi.net/.default',
}

const clouds: Readonly<Record<string, AzureEndpoints>> = {
  AZURECHINACLOUD: chinaCloud,
  AZURECLOUD: publicCloud,
  AZUREGERMANCLOUD: publicCloud,
  AZUREPUBLICCLOUD: publicCloud,
  AZUREUSGOVERNMENT: governmentCloud,
  AZUREUSGOVERNMENTCLOUD: governmentCloud,
}

/** Throws for a name of no cloud. */
export function findAzureEndpoints(environment: string): AzureEndpoints {
  const found = clouds[environment.toUpperCase()]
  if (found === undefined) throw new Error(`there is no cloud configuration matching the name ${JSON.stringify(environment)}`)
  return found
}

/** One list of machines, or of sets of them. */
export interface AzureListing {
  /** Of the whole refresh. */
  readonly bounds: ListBounds
  readonly signal: AbortSignal
  /** Called for each entry, page after page. */
  take(entry: JsonRecord): void
}

/** Azure's Resource Manager: the machines of one subscription. */
export class AzureApi {
  readonly #config: AzureDiscovery
  readonly #context: DiscoveryContext
  readonly #endpoints: AzureEndpoints
  readonly #tokens: AzureTokens
  readonly #client: HttpClient

  constructor(config: AzureDiscovery, context: DiscoveryContext, endpoints: AzureEndpoints) {
    this.#config = config
    this.#context = context
    this.#endpoints = endpoints
    const { userAgent, env, clock } = context
    const { authority, scope } = endpoints
    const http = withoutCredentials(config.http)
    this.#tokens = new AzureTokens({ identity: identityOf(config), authority, scope, http, userAgent, env, now: () => clock.now() })
    this.#client = createHttpClient(config.http, { userAgent, timeoutMs, bodyBytesMax: pageBytesMax })
  }

  listMachines(listing: AzureListing): Promise<void> {
    return this.#list(`${this.#scope()}/providers/Microsoft.Compute/virtualMachines`, 'Azure virtual machines', listing)
  }

  listScaleSets(listing: AzureListing): Promise<void> {
    return this.#list(`${this.#scope()}/providers/Microsoft.Compute/virtualMachineScaleSets`, 'Azure scale sets', listing)
  }

  /** `id` is the scale set's resource id. */
  listScaleSetMachines(id: string, listing: AzureListing): Promise<void> {
    return this.#list(`${checkId(id)}/virtualMachines`, 'the machines of an Azure scale set', listing)
  }

  /** The network interface of a resource id, undefined if there is none any more. */
  async findInterface(id: string, isOfScaleSet: boolean, signal: AbortSignal): Promise<JsonRecord | undefined> {
    const url = new URL(checkId(id), this.#endpoints.manager)
    url.searchParams.set('api-version', isOfScaleSet ? scaleSetNetworkVersion : networkVersion)
    url.searchParams.set('$expand', nicExpand)
    return (await this.#ask(url, 'an Azure network interface', signal, true))?.answer
  }

  async close(): Promise<void> {
    await Promise.all([this.#tokens.close(), this.#client.close()])
  }

  #scope(): string {
    const { subscriptionId, resourceGroup } = this.#config
    const subscription = `/subscriptions/${encodeURIComponent(subscriptionId)}`
    return resourceGroup === undefined || resourceGroup === ''
      ? subscription
      : `${subscription}/resourceGroups/${encodeURIComponent(resourceGroup)}`
  }

  async #list(path: string, what: string, { bounds, signal, take }: AzureListing): Promise<void> {
    const first = new URL(path, this.#endpoints.manager)
    first.searchParams.set('api-version', computeVersion)
    await eachPage(what, async (next) => {
      const url = next === undefined ? first : this.#checkNext(next)
      const { answer, bytes } = (await this.#ask(url, what, signal, false))!
      const entries = listField(answer, 'value')
      bounds.takePage(what, entries.length, bytes)
      for (const entry of entries) if (isRecord(entry)) take(entry)
      return textField(answer, 'nextLink')
    })
  }

  // Our token goes to whom a next page is asked of.
  #checkNext(link: string): URL {
    if (!URL.canParse(link, this.#endpoints.manager))
      throw new Error(`cannot ask for a next page: want its address, got ${JSON.stringify(link.slice(0, 200))}`)
    const url = new URL(link, this.#endpoints.manager)
    const { origin } = new URL(this.#endpoints.manager)
    if (url.origin !== origin) throw new Error(`cannot ask for a next page: want one of ${origin}, got ${url.origin}`)
    return url
  }

  async #ask(
    url: URL,
    what: string,
    signal: AbortSignal,
    mayBeMissing: boolean,
  ): Promise<{ answer: JsonRecord; bytes: number } | undefined> {
    const { status, body } = await callCloud({
      clock: this.#context.clock,
      signal,
      send: async () => this.#client.request({ url, headers: { authorization: `Bearer ${await this.#tokens.token()}` }, signal }),
      forget: () => this.#tokens.forget(),
    })
    if (status === 404 && mayBeMissing) return undefined
    if (status !== 200) throw new Error(`could not get ${what}: HTTP ${status}: ${shortenBody(body)}`)
    const answer = parseJson(body, what)
    if (!isRecord(answer)) throw new Error(`cannot read ${what}: want a JSON object`)
    return { answer, bytes: body.length }
  }
}

function identityOf({ authenticationMethod, tenantId, clientId, clientSecret }: AzureDiscovery): AzureIdentity {
  switch (authenticationMethod) {
    case 'OAuth':
      return { kind: 'oauth', tenantId: tenantId ?? '', clientId: clientId ?? '', clientSecret: clientSecret ?? new Secret('') }
    case 'ManagedIdentity':
      return { kind: 'managed_identity', ...(clientId === undefined || clientId === '' ? {} : { clientId }) }
    case 'SDK':
      return { kind: 'sdk', ...(tenantId === undefined || tenantId === '' ? {} : { tenantId }) }
  }
}

const resourceId = /^\/subscriptions\/[^/?#]+\/resourceGroups\/[^/?#]+\/providers\/[^?#]+$/i

function checkId(id: string): string {
  if (!resourceId.test(id))
    throw new Error(`cannot use an Azure resource: want an id below /subscriptions, got ${JSON.stringify(id.slice(0, 200))}`)
  return id
}
