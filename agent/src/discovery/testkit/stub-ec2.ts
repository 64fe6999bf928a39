import { startStub, type StubAnswer, type StubServer } from '@narthex/http/testkit/stub-server'

export interface StubInstance {
  readonly id: string
  readonly privateIp?: string
  /** Further elements, as XML. */
  readonly more?: string
}

export interface StubEc2 extends StubServer {
  instances: StubInstance[]
  pageSize: number
  /** Answers a form instead of the usual answer. */
  override: (form: URLSearchParams) => StubAnswer | undefined
}

/** EC2's Query API over a list of machines, in pages. */
export async function startStubEc2(): Promise<StubEc2> {
  const server = await startStub(({ body }) => {
    const form = new URLSearchParams(body)
    const other = stub.override(form)
    if (other !== undefined) return other
    if (form.get('Action') === 'DescribeAvailabilityZones') return { body: zones }
    if (form.get('Action') !== 'DescribeInstances') return { status: 400, body: errorXml('InvalidAction', 'no such action') }
    const from = Number(form.get('NextToken')?.slice('page-'.length) ?? 0)
    const to = from + stub.pageSize
    const next = to < stub.instances.length ? `<nextToken>page-${to}</nextToken>` : ''
    return { body: instancesXml(stub.instances.slice(from, to), next) }
  })
  const stub: StubEc2 = { ...server, instances: [], pageSize: 1000, override: () => undefined }
  return stub
}

export function errorXml(code: string, message: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>r</RequestID></Response>`
}

const namespace = 'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"'

const zones = `<?xml version="1.0" encoding="UTF-8"?>
<DescribeAvailabilityZonesResponse ${namespace}><requestId>r</requestId><availabilityZoneInfo>
<item><zoneName>eu-west-1a</zoneName><zoneState>available</zoneState><regionName>eu-west-1</regionName><zoneId>euw1-az2</zoneId></item>
<item><zoneName>eu-west-1b</zoneName><zoneId>euw1-az3</zoneId></item>
</availabilityZoneInfo></DescribeAvailabilityZonesResponse>`

function instancesXml(instances: readonly StubInstance[], next: string): string {
  const items = instances.map(
    ({ id, privateIp, more }) =>
      `<item><reservationId>r-${id}</reservationId><ownerId>123456789012</ownerId><groupSet/><instancesSet><item><instanceId>${id}</instanceId>` +
      '<imageId>ami-1</imageId><instanceState><code>16</code><name>running</name></instanceState><instanceType>t3.micro</instanceType>' +
      '<placement><availabilityZone>eu-west-1a</availabilityZone><groupName/><tenancy>default</tenancy></placement>' +
      `${privateIp === undefined ? '' : `<privateIpAddress>${privateIp}</privateIpAddress>`}${more ?? ''}</item></instancesSet></item>`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>
<DescribeInstancesResponse ${namespace}><requestId>r</requestId><reservationSet>${items.join('')}</reservationSet>${next}</DescribeInstancesResponse>`
}

/** A machine with everything that has a label. */
export const fullInstance: StubInstance = {
  id: 'i-full',
  privateIp: '10.0.0.5',
  more: `<privateDnsName>ip-10-0-0-5.internal</privateDnsName><dnsName>ec2-1-2-3-4.amazonaws.com</dnsName><ipAddress>1.2.3.4</ipAddress>
<architecture>x86_64</architecture><platform>windows</platform><instanceLifecycle>spot</instanceLifecycle><vpcId>vpc-1</vpcId><subnetId>subnet-a</subnetId>
<networkInterfaceSet>
<item><subnetId>subnet-a</subnetId><attachment><deviceIndex>0</deviceIndex></attachment><ipv6AddressesSet>
<item><ipv6Address>2001:db8::1</ipv6Address><isPrimaryIpv6>false</isPrimaryIpv6></item></ipv6AddressesSet></item>
<item><subnetId>subnet-b</subnetId><attachment><deviceIndex>1</deviceIndex></attachment><ipv6AddressesSet>
<item><ipv6Address>2001:db8::2</ipv6Address><isPrimaryIpv6>true</isPrimaryIpv6></item></ipv6AddressesSet></item>
<item><subnetId>subnet-a</subnetId><attachment><deviceIndex>2</deviceIndex></attachment><ipv6AddressesSet/></item>
</networkInterfaceSet>
<tagSet><item><key>Name</key><value>web &amp; db</value></item><item><key>team:näme</key><value>x</value></item></tagSet>`,
}
