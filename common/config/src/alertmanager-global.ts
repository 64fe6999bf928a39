import {
  hostPort,
  isSet,
  secretUrl,
  type IntegrationConfig,
  type IntegrationKind,
  type IntegrationSettings,
  type ReceiverConfig,
} from './alertmanager-receivers.ts'
import { boolean, durationMs, filePath, secret, string, url } from './codec.ts'
import { httpClientConfig, tlsConfig, type HttpClientConfig } from './http-client-config.ts'
import { convertObject, field, object, optional, type Checker, type Field, type ObjectCodec } from './object-codec.ts'
import type { Codec } from './yaml-decode.ts'

export interface AlertmanagerGlobal {
  readonly resolveTimeoutMs: number
  readonly http?: HttpClientConfig
  /** The other settings under their own names (`slack_api_url`). */
  readonly settings: IntegrationSettings
}

const keys: Readonly<Record<string, Codec<unknown> | readonly [Codec<unknown>, unknown]>> = {
  smtp_from: string,
  smtp_hello: [string, 'localhost'],
  smtp_smarthost: hostPort,
  smtp_auth_username: string,
  smtp_auth_password: secret,
  smtp_auth_password_file: filePath,
  smtp_auth_secret: secret,
  smtp_auth_secret_file: filePath,
  smtp_auth_identity: string,
  smtp_require_tls: [boolean, true],
  smtp_tls_config: tlsConfig,
  smtp_force_implicit_tls: boolean,
  slack_api_url: secretUrl,
  slack_api_url_file: filePath,
  slack_app_token: secret,
  slack_app_token_file: filePath,
  slack_app_url: [url, 'https://slack.com/api/chat.postMessage'],
  pagerduty_url: [url, 'https://events.pagerduty.com/v2/enqueue'],
  opsgenie_api_url: [url, 'https://api.opsgenie.com/'],
  opsgenie_api_key: secret,
  opsgenie_api_key_file: filePath,
  wechat_api_url: [url, 'https://qyapi.weixin.qq.com/cgi-bin/'],
  wechat_api_secret: secret,
  wechat_api_secret_file: filePath,
  wechat_api_corp_id: string,
  victorops_api_url: [url, 'https://alert.victorops.com/integrations/generic/20131114/alert/'],
  victorops_api_key: secret,
  victorops_api_key_file: filePath,
  telegram_api_url: [url, 'https://api.telegram.org'],
  telegram_bot_token: secret,
  telegram_bot_token_file: filePath,
  webex_api_url: [url, 'https://webexapis.com/v1/messages'],
  rocketchat_api_url: [url, 'https://open.rocket.chat/'],
  rocketchat_token: secret,
  rocketchat_token_file: filePath,
  rocketchat_token_id: secret,
  rocketchat_token_id_file: filePath,
  mattermost_webhook_url: secretUrl,
  mattermost_webhook_url_file: filePath,
  jira_api_url: url,
}

type RawGlobal = Readonly<Record<string, unknown>>

const rawGlobal = object<RawGlobal>('config.plain', {
  resolve_timeout: field('resolve_timeout', durationMs, 300_000),
  http_config: optional('http_config', httpClientConfig as Codec<unknown>),
  ...Object.fromEntries(
    Object.entries(keys).map(([key, described]): [string, Field<unknown>] => {
      const [codec, initial] = Array.isArray(described) ? described : [described, undefined]
      return [key, initial === undefined ? optional(key, codec) : field(key, codec, initial, { always: key === 'smtp_require_tls' })]
    }),
  ),
} as Readonly<Record<string, Field<unknown>>>)

const twins = [
  'smtp_auth_password',
  'smtp_auth_secret',
  'slack_api_url',
  'slack_app_token',
  'opsgenie_api_key',
  'victorops_api_key',
  'wechat_api_secret',
  'telegram_bot_token',
  'rocketchat_token',
  'rocketchat_token_id',
  'mattermost_webhook_url',
]

export const alertmanagerGlobal: ObjectCodec<AlertmanagerGlobal> = convertObject<RawGlobal, AlertmanagerGlobal>(
  rawGlobal,
  (raw, checker) => {
    checkGlobal(raw, checker)
    return toGlobal(raw)
  },
  ({ resolveTimeoutMs, http, settings }) => ({ resolve_timeout: resolveTimeoutMs, http_config: http, ...settings }),
  toGlobal(rawGlobal.defaults()),
)

function toGlobal({ resolve_timeout: timeout, http_config: http, ...settings }: RawGlobal): AlertmanagerGlobal {
  return { resolveTimeoutMs: Number(timeout), ...(http === undefined ? {} : { http: http as HttpClientConfig }), settings }
}

function checkGlobal(raw: RawGlobal, { fail }: Checker): void {
  for (const key of twins) {
    if (isSet(raw[key]) && isSet(raw[`${key}_file`])) fail(`at most one of ${key} & ${key}_file must be configured`, `${key}_file`)
  }
  const hasUrl = isSet(raw['slack_api_url']) || isSet(raw['slack_api_url_file'])
  if (hasUrl && (isSet(raw['slack_app_token']) || isSet(raw['slack_app_token_file']))) {
    fail('at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be configured', 'slack_app_token')
  }
}

/** Fills the global settings into a receiver's integrations; `fail` gets Alertmanager's text when one is missing. */
export function applyGlobal(receiver: ReceiverConfig, global: AlertmanagerGlobal, fail: (text: string) => never): ReceiverConfig {
  return { ...receiver, integrations: receiver.integrations.map((integration) => fillIntegration(integration, global, fail)) }
}

function fillIntegration(integration: IntegrationConfig, global: AlertmanagerGlobal, fail: (text: string) => never): IntegrationConfig {
  const fill = fillers[integration.kind]
  const settings = fill === undefined ? integration.settings : fill({ ...integration.settings }, global.settings, fail)
  const http = integration.http ?? (integration.kind === 'email' ? undefined : global.http)
  return { ...integration, ...(http === undefined ? {} : { http }), settings }
}

type Filler = (own: Record<string, unknown>, global: IntegrationSettings, fail: (text: string) => never) => IntegrationSettings

/** Takes `globalName` over as `name` unless the integration says it itself. */
function take(own: Record<string, unknown>, name: string, global: IntegrationSettings, globalName: string): void {
  if (!isSet(own[name]) && isSet(global[globalName])) own[name] = global[globalName]
}

/** As `take`, for a secret and its `_file` twin; true when either is there. */
function takeTwin(own: Record<string, unknown>, name: string, global: IntegrationSettings, globalName: string): boolean {
  if (!isSet(own[name]) && !isSet(own[`${name}_file`])) {
    take(own, name, global, globalName)
    take(own, `${name}_file`, global, `${globalName}_file`)
  }
  return isSet(own[name]) || isSet(own[`${name}_file`])
}

const fillers: Partial<Readonly<Record<IntegrationKind, Filler>>> = {
  email(own, global, fail) {
    take(own, 'smarthost', global, 'smtp_smarthost')
    if (!isSet(own['smarthost'])) fail('no global SMTP smarthost set')
    take(own, 'from', global, 'smtp_from')
    if (!isSet(own['from'])) fail('no global SMTP from set')
    take(own, 'hello', global, 'smtp_hello')
    take(own, 'auth_username', global, 'smtp_auth_username')
    takeTwin(own, 'auth_password', global, 'smtp_auth_password')
    takeTwin(own, 'auth_secret', global, 'smtp_auth_secret')
    take(own, 'auth_identity', global, 'smtp_auth_identity')
    if (own['require_tls'] === undefined) own['require_tls'] = global['smtp_require_tls']
    if (own['force_implicit_tls'] === undefined && global['smtp_force_implicit_tls'] !== undefined)
      own['force_implicit_tls'] = global['smtp_force_implicit_tls']
    if (own['tls_config'] === undefined && global['smtp_tls_config'] !== undefined) own['tls_config'] = global['smtp_tls_config']
    return own
  },
  slack(own, global, fail) {
    const isOwn = ['api_url', 'api_url_file', 'app_token', 'app_token_file'].some((name) => isSet(own[name]))
    if (!isOwn && !takeTwin(own, 'api_url', global, 'slack_api_url') && !takeTwin(own, 'app_token', global, 'slack_app_token')) {
      fail('no Slack API URL nor App token set either inline or in a file')
    }
    take(own, 'app_url', global, 'slack_app_url')
    return own
  },
  pagerduty(own, global, fail) {
    take(own, 'url', global, 'pagerduty_url')
    if (!isSet(own['url'])) fail('no global PagerDuty URL set')
    return own
  },
  opsgenie(own, global, fail) {
    take(own, 'api_url', global, 'opsgenie_api_url')
    if (!isSet(own['api_url'])) fail('no global OpsGenie URL set')
    if (!takeTwin(own, 'api_key', global, 'opsgenie_api_key')) fail('no global OpsGenie API Key set either inline or in a file')
    return own
  },
  wechat(own, global, fail) {
    take(own, 'api_url', global, 'wechat_api_url')
    if (!isSet(own['api_url'])) fail('no global Wechat URL set')
    if (!takeTwin(own, 'api_secret', global, 'wechat_api_secret')) fail('no global Wechat Api Secret set either inline or in a file')
    take(own, 'corp_id', global, 'wechat_api_corp_id')
    if (!isSet(own['corp_id'])) fail('no global Wechat CorpID set')
    return own
  },
  victorops(own, global, fail) {
    take(own, 'api_url', global, 'victorops_api_url')
    if (!isSet(own['api_url'])) fail('no global VictorOps URL set')
    if (!takeTwin(own, 'api_key', global, 'victorops_api_key')) fail('no global VictorOps API Key set either inline or in a file')
    return own
  },
  telegram(own, global, fail) {
    take(own, 'api_url', global, 'telegram_api_url')
    if (!takeTwin(own, 'bot_token', global, 'telegram_bot_token')) fail('missing bot_token or bot_token_file on telegram_config')
    return own
  },
  webex(own, global, fail) {
    take(own, 'api_url', global, 'webex_api_url')
    if (!isSet(own['api_url'])) fail('no global Webex URL set')
    return own
  },
  rocketchat(own, global, fail) {
    take(own, 'api_url', global, 'rocketchat_api_url')
    if (!takeTwin(own, 'token', global, 'rocketchat_token')) fail('no global Rocketchat Token set either inline or in a file')
    if (!takeTwin(own, 'token_id', global, 'rocketchat_token_id')) fail('no global Rocketchat TokenID set either inline or in a file')
    return own
  },
  mattermost(own, global, fail) {
    if (!takeTwin(own, 'webhook_url', global, 'mattermost_webhook_url'))
      fail('no global Mattermost Webhook URL set either inline or in a file')
    return own
  },
  jira(own, global, fail) {
    take(own, 'api_url', global, 'jira_api_url')
    if (!isSet(own['api_url'])) fail('no global Jira Cloud URL set')
    return own
  },
}
