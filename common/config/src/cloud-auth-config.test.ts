import { describe, expect, it } from 'vitest'
import { checkPrometheusConfig, parsePrometheusConfig, type PrometheusConfig } from './prometheus-config.ts'

const parse = (auth: string): PrometheusConfig =>
  parsePrometheusConfig(`remote_write:\n- url: http://x/\n  ${auth}\n`, { path: '/etc/p/p.yml', mode: 'agent' })

const failure = (auth: string): string | undefined =>
  checkPrometheusConfig(`remote_write:\n- url: http://x/\n  ${auth}\n`, 'p.yml', 'agent').error?.message

const id = '00000000-a12b-3cd4-e56f-000000000000'

describe('cloud authentication of remote_write', () => {
  it('has no key without effect', () => {
    expect(
      parse('sigv4: {region: r, access_key: a, secret_key: s, role_arn: x, external_id: e, use_fips_sts_endpoint: true}').notYet,
    ).toEqual([])
    expect(parse(`azuread: {cloud: AzureChina, scope: 'https://x/.default', sdk: {}}`).notYet).toEqual([])
    expect(parse('google_iam: {credentials_file: k.json}').notYet).toEqual([])
  })

  it('reads each kind, with paths beside the file', () => {
    expect(parse('google_iam: {credentials_file: k.json}').remoteWrite[0]!.cloudAuth).toEqual({
      kind: 'google_iam',
      config: { credentialsFile: '/etc/p/k.json' },
    })
    expect(parse('sigv4: {}').remoteWrite[0]!.cloudAuth).toEqual({ kind: 'sigv4', config: { useFipsStsEndpoint: false } })
    expect(parse(`azuread: {workload_identity: {client_id: ${id}, tenant_id: t}}`).remoteWrite[0]!.cloudAuth).toEqual({
      kind: 'azuread',
      config: {
        cloud: 'AzurePublic',
        identity: {
          kind: 'workload_identity',
          clientId: id,
          tenantId: 't',
          tokenFilePath: '/var/run/secrets/azure/tokens/azure-identity-token',
        },
      },
    })
  })

  it.each([
    'sigv4: {}',
    'sigv4: {region: r, access_key: a, secret_key: hunter2}',
    'google_iam: {}',
    'azuread: {managed_identity: {}}',
    `azuread: {oauth: {client_id: ${id}, client_secret: hunter2, tenant_id: t}}`,
    'azuread: {sdk: {tenant_id: t}, cloud: AzureGovernment}',
  ])('prints %s so that it loads again to the same, without its secret', (auth) => {
    const printed = parse(auth).redactedYaml()
    expect(printed).not.toContain('hunter2')
    const again = parsePrometheusConfig(printed, { path: '/etc/p/p.yml', mode: 'agent' })
    expect(again.redactedYaml()).toBe(printed)
    expect(again.remoteWrite[0]!.cloudAuth?.kind).toBe(parse(auth).remoteWrite[0]!.cloudAuth!.kind)
  })

  it.each([
    ['sigv4: {access_key: a}', '3:10: must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config'],
    ['sigv4: {regio: a}', '3:11: field regio not found in type sigv4.plain'],
    [
      'azuread: {}',
      '3:12: must provide an Azure Managed Identity, Azure Workload Identity, Azure OAuth or Azure SDK in the Azure AD config',
    ],
    ['azuread: {sdk: {}, managed_identity: {}}', 'cannot provide multiple authentication methods in the Azure AD config'],
    ['azuread: {cloud: AzureMars, sdk: {}}', '3:13: must provide a cloud in the Azure AD config'],
    ['azuread: {managed_identity: {client_id: x}}', 'the provided Azure Managed Identity client_id is invalid'],
    [`azuread: {oauth: {client_id: ${id}, tenant_id: t}}`, 'must provide an Azure OAuth client_secret in the Azure AD config'],
    [`azuread: {oauth: {client_id: ${id}, client_secret: s, tenant_id: 't/'}}`, 'the provided Azure OAuth tenant_id is invalid'],
    [`azuread: {workload_identity: {client_id: ${id}}}`, 'must provide an Azure Workload Identity tenant_id in the Azure AD config'],
    ['azuread: {sdk: {}, scope: "a?b"}', 'the provided scope contains invalid characters'],
    ['google_iam: {credentials_fil: a}', 'field credentials_fil not found in type googleiam.Config'],
    [
      'sigv4: {}\n  basic_auth: {username: u}',
      'at most one of basic_auth, authorization, oauth2, sigv4, azuread or google_iam must be configured',
    ],
  ])('refuses %s', (auth, text) => {
    expect(failure(auth)).toContain(text)
  })
})

describe('sigv4 of an alertmanager', () => {
  const ofAlertmanager = (keys: string): string => `alerting:\n  alertmanagers:\n  - static_configs: [{targets: ['a:1']}]\n    ${keys}\n`
  const read = (text: string): PrometheusConfig => parsePrometheusConfig(text, { path: '/etc/p/p.yml', mode: 'server' })
  const problem = (keys: string): string | undefined => checkPrometheusConfig(ofAlertmanager(keys), 'p.yml', 'server').error?.message

  it('is read, has effect, and is printed without its secret', () => {
    const config = read(ofAlertmanager('sigv4: {region: r, access_key: a, secret_key: hunter2, service_name: aps}'))
    expect(config.notYet).toEqual([])
    const { secretKey, ...sigv4 } = config.alerting.alertmanagers[0]!.sigv4!
    expect(sigv4).toEqual({ region: 'r', accessKey: 'a', serviceName: 'aps', useFipsStsEndpoint: false })
    expect(secretKey!.reveal()).toBe('hunter2')
    expect(config.redactedYaml()).not.toContain('hunter2')
    expect(read(config.redactedYaml()).redactedYaml()).toBe(config.redactedYaml())
  })

  it('may be empty: the account is AWS` own, and absent', () => {
    expect(read(ofAlertmanager('sigv4: {}')).alerting.alertmanagers[0]!.sigv4).toEqual({ useFipsStsEndpoint: false })
    expect(read(ofAlertmanager('scheme: http')).alerting.alertmanagers[0]!.sigv4).toBeUndefined()
  })

  it.each([
    ['sigv4: {secret_key: a}', 'must provide a AWS SigV4 Access key and Secret Key if credentials are specified in the SigV4 config'],
    ['sigv4: {regio: a}', 'field regio not found in type sigv4.plain'],
    ['azuread: {}', 'field azuread not found in type config.AlertmanagerConfig'],
    ['sigv4: {}\n    basic_auth: {username: u}', 'at most one of basic_auth, authorization, oauth2, & sigv4 must be configured'],
    ['sigv4: {}\n    authorization: {credentials: u}', 'at most one of basic_auth, authorization, oauth2, & sigv4 must be configured'],
  ])('refuses %s', (keys, text) => {
    expect(problem(keys)).toContain(text)
  })
})
