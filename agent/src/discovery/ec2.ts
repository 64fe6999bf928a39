import type { Ec2Discovery } from '@narthex/config/cloud-discovery-machines'
import { findChild, readText, type XmlElement } from '@narthex/http/xml-reader'
import { Ec2Api } from './ec2-api.ts'
import { joinHostPort } from './host-port.ts'
import { sanitizeLabelName } from './label-name.ts'
import type { DiscoveryContext } from './mechanisms.ts'
import { RefreshDiscoverer } from './refresh.ts'
import type { TargetGroup } from './target-groups.ts'

type Labels = Record<string, string>

/** A machine has fewer network devices; what names a higher one is left out. */
const deviceIndexMax = 255

/** ec2_sd_configs: the machines of one region that have a private address. */
export function createEc2Discoverer(config: Ec2Discovery, context: DiscoveryContext): RefreshDiscoverer {
  const api = new Ec2Api(config, context)
  let zoneIds: ReadonlyMap<string, string> | undefined

  // Asked until it was answered once: a new zone shows with the next reload, as in Prometheus.
  async function findZoneIds(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    if (zoneIds !== undefined) return zoneIds
    try {
      zoneIds = await api.describeZones(signal)
    } catch (error) {
      context.log.debug('Unable to describe availability zones', { err: error })
    }
    return zoneIds ?? new Map<string, string>()
  }

  async function refresh(signal: AbortSignal): Promise<readonly TargetGroup[]> {
    const region = await api.region()
    const zones = await findZoneIds(signal)
    const targets: Labels[] = []
    await api.describeInstances(signal, (page) => {
      for (const reservation of listItems(page, 'reservationSet')) {
        for (const instance of listItems(reservation, 'instancesSet')) {
          const labels = describeInstance(instance, readText(reservation, 'ownerId'), zones, config.port)
          if (labels !== undefined) targets.push({ ...labels, __meta_ec2_region: region })
        }
      }
    })
    return [{ source: region, targets, labels: {} }]
  }

  return new RefreshDiscoverer({ mechanism: 'ec2', intervalMs: config.refreshIntervalMs, refresh, close: () => api.close() }, context)
}

/** Label of the mechanism → path of the element that has its value. */
const plainLabels: readonly (readonly [string, readonly string[]])[] = [
  ['ami', ['imageId']],
  ['architecture', ['architecture']],
  ['availability_zone', ['placement', 'availabilityZone']],
  ['instance_id', ['instanceId']],
  ['instance_lifecycle', ['instanceLifecycle']],
  ['instance_state', ['instanceState', 'name']],
  ['instance_type', ['instanceType']],
  ['platform', ['platform']],
  ['private_dns_name', ['privateDnsName']],
  ['private_ip', ['privateIpAddress']],
  ['public_ip', ['ipAddress']],
  ['vpc_id', ['vpcId']],
]

/** Undefined for a machine without a private address. */
function describeInstance(
  instance: XmlElement,
  ownerId: string | undefined,
  zones: ReadonlyMap<string, string>,
  port: number,
): Labels | undefined {
  const address = readText(instance, 'privateIpAddress')
  if (address === undefined || address === '') return undefined
  const labels: Labels = { __address__: joinHostPort(address, port) }
  function add(name: string, value: string | undefined): void {
    if (value !== undefined && value !== '') labels[`__meta_ec2_${name}`] = value
  }

  for (const [name, path] of plainLabels) add(name, readText(instance, ...path))
  add('owner_id', ownerId)
  add('availability_zone_id', zones.get(readText(instance, 'placement', 'availabilityZone') ?? ''))
  if (labels['__meta_ec2_public_ip'] !== undefined) add('public_dns_name', readText(instance, 'dnsName'))
  if (labels['__meta_ec2_vpc_id'] !== undefined) {
    add('primary_subnet_id', readText(instance, 'subnetId'))
    addNetwork(listItems(instance, 'networkInterfaceSet'), add)
  }
  for (const tag of listItems(instance, 'tagSet')) {
    const key = readText(tag, 'key')
    if (key !== undefined) add(`tag_${sanitizeLabelName(key)}`, readText(tag, 'value'))
  }
  return labels
}

/** Lists have a comma at both ends too, so that a relabel rule finds an element without looking at its place. */
function addNetwork(interfaces: readonly XmlElement[], add: (name: string, value: string) => void): void {
  const subnets = new Set<string>()
  const addresses: string[] = []
  const primaries: string[] = []
  for (const one of interfaces) {
    const subnet = readText(one, 'subnetId')
    if (subnet === undefined) continue
    subnets.add(subnet)
    for (const assigned of listItems(one, 'ipv6AddressesSet')) {
      const address = readText(assigned, 'ipv6Address')
      if (address === undefined) continue
      addresses.push(address)
      const device = Number(readText(one, 'attachment', 'deviceIndex') ?? Number.NaN)
      const isPrimary = readText(assigned, 'isPrimaryIpv6') === 'true'
      if (isPrimary && Number.isInteger(device) && device >= 0 && device <= deviceIndexMax) {
        // The place in the list is the device's number, so devices without one leave a gap.
        while (primaries.length <= device) primaries.push('')
        primaries[device] = address
      }
    }
  }
  add('subnet_id', `,${[...subnets].join(',')},`)
  if (addresses.length > 0) add('ipv6_addresses', `,${addresses.join(',')},`)
  if (primaries.length > 0) add('primary_ipv6_addresses', `,${primaries.join(',')},`)
}

function listItems(element: XmlElement, name: string): readonly XmlElement[] {
  return findChild(element, name)?.children.filter((child) => child.name === 'item') ?? []
}
