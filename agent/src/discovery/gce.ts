import type { GceDiscovery } from '@narthex/config/cloud-discovery-machines'
import { createHttpClient } from '@narthex/http/client'
import { GoogleTokens } from '@narthex/http/google-auth'
import { cloudTransport } from '@narthex/http/token-transport'
import { callCloud, eachPage, ListBounds, pageBytesMax, shortenBody } from './cloud-requests.ts'
import { joinHostPort } from './host-port.ts'
import { isRecord, listField, parseJson, recordField, textField, textPairs, textsField, type JsonRecord } from './json-fields.ts'
import { sanitizeLabelName } from './label-name.ts'
import type { DiscoveryContext } from './mechanisms.ts'
import { RefreshDiscoverer } from './refresh.ts'
import type { TargetGroup } from './target-groups.ts'

const scope = 'https://www.googleapis.com/auth/compute.readonly'
const defaultEndpoint = 'https://compute.googleapis.com'
const instancesPerPage = 500
const timeoutMs = 60_000

/** gce_sd_configs: the machines of one project and zone. `endpoint` is where the Compute Engine API answers. */
export function createGceDiscoverer(config: GceDiscovery, context: DiscoveryContext, endpoint = defaultEndpoint): RefreshDiscoverer {
  const { project, zone, filter, refreshIntervalMs } = config
  const { clock, env, userAgent } = context
  const http = cloudTransport(undefined)
  const tokens = new GoogleTokens({ scope, http, userAgent, env, now: () => clock.now() })
  const client = createHttpClient(http, { userAgent, timeoutMs, bodyBytesMax: pageBytesMax })

  async function fetchPage(token: string | undefined, signal: AbortSignal, bounds: ListBounds): Promise<JsonRecord> {
    const path = `/compute/v1/projects/${encodeURIComponent(project)}/zones/${encodeURIComponent(zone)}/instances`
    const url = new URL(path, endpoint)
    url.searchParams.set('maxResults', String(instancesPerPage))
    if (filter !== undefined && filter !== '') url.searchParams.set('filter', filter)
    if (token !== undefined) url.searchParams.set('pageToken', token)
    const answer = await callCloud({
      clock,
      signal,
      send: async () => client.request({ url, headers: { authorization: `Bearer ${await tokens.token()}` }, signal }),
      isThrottled: ({ status, body }) => status === 403 && Buffer.from(body).includes('rateLimitExceeded'),
      forget: () => tokens.forget(),
    })
    const { status, body } = answer
    if (status !== 200) throw new Error(`error retrieving refresh targets from gce: HTTP ${status}: ${shortenBody(body)}`)
    const page = parseJson(body, 'the list of GCE instances')
    if (!isRecord(page)) throw new Error('cannot read the list of GCE instances: want a JSON object')
    bounds.takePage('GCE instances', listField(page, 'items').length, body.length)
    return page
  }

  async function refresh(signal: AbortSignal): Promise<readonly TargetGroup[]> {
    const targets: Record<string, string>[] = []
    const bounds = new ListBounds()
    await eachPage('GCE instances', async (token) => {
      const page = await fetchPage(token, signal, bounds)
      for (const instance of listField(page, 'items')) {
        const labels = isRecord(instance) ? describeInstance(instance, config) : undefined
        if (labels !== undefined) targets.push(labels)
      }
      return textField(page, 'nextPageToken')
    })
    return [{ source: `GCE_${project}_${zone}`, targets, labels: {} }]
  }

  async function close(): Promise<void> {
    await Promise.all([tokens.close(), client.close()])
  }

  return new RefreshDiscoverer({ mechanism: 'gce', intervalMs: refreshIntervalMs, refresh, close }, context)
}

/** Undefined for a machine without a network. */
function describeInstance(instance: JsonRecord, { project, port, tagSeparator }: GceDiscovery): Record<string, string> | undefined {
  const interfaces = listField(instance, 'networkInterfaces').filter(isRecord)
  const primary = interfaces[0]
  if (primary === undefined) return undefined
  const labels: Record<string, string> = { __address__: joinHostPort(textField(primary, 'networkIP'), port) }
  function add(name: string, value: string): void {
    if (value !== '') labels[`__meta_gce_${name}`] = value
  }

  add('project', project)
  add('zone', textField(instance, 'zone'))
  // 64-bit numbers are texts in Google's JSON.
  add('instance_id', textField(instance, 'id'))
  add('instance_name', textField(instance, 'name'))
  add('instance_status', textField(instance, 'status'))
  add('machine_type', textField(instance, 'machineType'))
  add('network', textField(primary, 'network'))
  add('subnetwork', textField(primary, 'subnetwork'))
  add('private_ip', textField(primary, 'networkIP'))
  for (const one of interfaces) add(`interface_ipv4_${sanitizeLabelName(textField(one, 'name'))}`, textField(one, 'networkIP'))
  const tags = textsField(recordField(instance, 'tags'), 'items')
  if (tags.length > 0) add('tags', tagSeparator + tags.join(tagSeparator) + tagSeparator)
  for (const item of listField(recordField(instance, 'metadata'), 'items').filter(isRecord)) {
    add(`metadata_${sanitizeLabelName(textField(item, 'key'))}`, textField(item, 'value'))
  }
  for (const [key, value] of textPairs(recordField(instance, 'labels'))) add(`label_${sanitizeLabelName(key)}`, value)
  const access = listField(primary, 'accessConfigs').filter(isRecord)[0]
  if (access !== undefined && textField(access, 'type') === 'ONE_TO_ONE_NAT') add('public_ip', textField(access, 'natIP'))
  return labels
}
