import { anything, boolean, choice, durationMs, filePath, integer, list, map, secret, string, text, unsigned, url } from './codec.ts'
import { checkGoUrl } from './go-url.ts'
import { httpClientConfig, tlsConfig, type HttpClientConfig } from './http-client-config.ts'
import { convertObject, field, object, optional, type Checker, type Field, type ObjectCodec } from './object-codec.ts'
import { Secret } from './secret.ts'
import type { Codec } from './yaml-decode.ts'

export type IntegrationKind =
  | 'webhook'
  | 'email'
  | 'slack'
  | 'pagerduty'
  | 'opsgenie'
  | 'victorops'
  | 'discord'
  | 'msteams'
  | 'msteamsv2'
  | 'mattermost'
  | 'rocketchat'
  | 'telegram'
  | 'jira'
  | 'incidentio'
  | 'pushover'
  | 'sns'
  | 'wechat'
  | 'webex'

/** Settings of an integration under their own names (`api_url`); secrets as Secret, durations in ms, paths resolved. */
export type IntegrationSettings = Readonly<Record<string, unknown>>

export interface IntegrationConfig {
  readonly kind: IntegrationKind
  /** Position in its list: names the integration in metrics. */
  readonly index: number
  readonly sendResolved: boolean
  /** undefined: the global one (or none, for mail). */
  readonly http?: HttpClientConfig
  readonly settings: IntegrationSettings
}

/** The settings of a webhook, the way its sender reads them. */
export interface WebhookSettings {
  readonly url?: Secret
  readonly urlFile?: string
  /** 0: all. */
  readonly maxAlerts: number
  /** 0: none of its own. */
  readonly timeoutMs: number
  readonly payload?: unknown
}

export function readWebhookSettings({ settings }: IntegrationConfig): WebhookSettings {
  const { url: given, url_file: urlFile, max_alerts: maxAlerts, timeout, payload } = settings
  return {
    ...(given instanceof Secret ? { url: given } : {}),
    ...(typeof urlFile === 'string' && urlFile !== '' ? { urlFile } : {}),
    maxAlerts: typeof maxAlerts === 'number' ? maxAlerts : 0,
    timeoutMs: typeof timeout === 'number' ? timeout : 0,
    ...(payload === undefined ? {} : { payload }),
  }
}

type Keys = Readonly<Record<string, Codec<unknown> | readonly [Codec<unknown>, unknown]>>
type Check = (settings: IntegrationSettings, checker: Checker, http: HttpClientConfig | undefined) => void

export function isSet(value: unknown): boolean {
  return value instanceof Secret ? !value.isEmpty : value !== undefined && value !== '' && value !== null
}

/** A URL that is a secret; templates and an already redacted one pass. */
export const secretUrl: Codec<Secret> = {
  goType: 'string',
  decode(node, context) {
    const given = text.decode(node, context)
    const problem = given.includes('{{') ? undefined : checkGoUrl(given)
    if (problem !== undefined) context.fail(node, `parse "<secret>": ${problem}`)
    if (!given.includes('{{') && !/^https?:\/\/[^/]/.test(given)) {
      context.fail(
        node,
        /^https?:/.test(given)
          ? 'missing host for URL'
          : `unsupported scheme ${JSON.stringify(/^([a-zA-Z][\w+.-]*):/.exec(given)?.[1] ?? '')} for URL`,
      )
    }
    return new Secret(given)
  },
  encode: (value) => secret.encode(value),
}

/** `host:port`, both needed unless the host is empty. */
export const hostPort: Codec<string> = {
  goType: 'string',
  decode(node, context) {
    const given = text.decode(node, context)
    if (given === '') return given
    const match = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(given)
    if (match === null)
      return context.fail(node, `address ${given}: ${given.includes(':') ? 'too many colons' : 'missing port'} in address`)
    return match[2] === '' ? context.fail(node, `address ${JSON.stringify(given)}: port cannot be empty`) : given
  },
  encode: (value) => value,
}

function oneOf(names: readonly [string, string]): Check {
  return (settings, checker, http) => {
    if (!isSet(settings[names[0]]) && !isSet(settings[names[1]])) checker.fail(`one of ${names[0]} or ${names[1]} must be configured`)
    atMostOne(names)(settings, checker, http)
  }
}

function atMostOne(names: readonly [string, string]): Check {
  return (settings, { fail }) => {
    if (isSet(settings[names[0]]) && isSet(settings[names[1]]))
      fail(`at most one of ${names[0]} & ${names[1]} must be configured`, names[1])
  }
}

function required(name: string, problem: string): Check {
  return (settings, { fail }) => {
    if (!isSet(settings[name])) fail(problem)
  }
}

function all(...checks: readonly Check[]): Check {
  return (settings, checker, http) => {
    for (const check of checks) check(settings, checker, http)
  }
}

function texts(...names: readonly string[]): Keys {
  return Object.fromEntries(names.map((name) => [name, string]))
}

const slackField = object('slack.plain', {
  title: field('title', string, ''),
  value: field('value', string, ''),
  short: optional('short', boolean),
})
const link = object('pagerduty.Link', {
  href: field('href', string, ''),
  text: field('text', string, ''),
  alt: field('alt', string, ''),
  src: field('src', string, ''),
})
const responder = object('opsgenie.Responder', {
  id: field('id', string, ''),
  name: field('name', string, ''),
  username: field('username', string, ''),
  type: field('type', string, ''),
})
const action = map(anything)

interface Kind {
  readonly kind: IntegrationKind
  readonly keys: Keys
  readonly sendResolved: boolean
  readonly hasHttp: boolean
  readonly check: Check | undefined
}

function kind(
  name: IntegrationKind,
  keys: Keys,
  check?: Check,
  options: { readonly sendResolved?: boolean; readonly http?: boolean } = {},
): Kind {
  return { kind: name, keys, check, sendResolved: options.sendResolved ?? true, hasHttp: options.http ?? true }
}

const kinds: readonly Kind[] = [
  kind(
    'discord',
    { webhook_url: secretUrl, webhook_url_file: filePath, ...texts('content', 'title', 'message', 'username', 'avatar_url') },
    oneOf(['webhook_url', 'webhook_url_file']),
  ),
  kind(
    'email',
    {
      ...texts('to', 'from', 'hello', 'auth_username', 'auth_identity', 'html', 'text'),
      smarthost: hostPort,
      auth_password: secret,
      auth_password_file: filePath,
      auth_secret: secret,
      auth_secret_file: filePath,
      headers: map(string),
      require_tls: boolean,
      force_implicit_tls: boolean,
      tls_config: tlsConfig,
      threading: object('email.ThreadingConfig', {
        enabled: field('enabled', boolean, false),
        threadByDate: field(
          'thread_by_date',
          choice(['daily', 'none'], (given) => `invalid thread_by_date ${JSON.stringify(given)}`),
          'daily',
        ),
      }),
    },
    all(
      required('to', 'missing to address in email config'),
      atMostOne(['auth_password', 'auth_password_file']),
      atMostOne(['auth_secret', 'auth_secret_file']),
      checkEmailHeaders,
    ),
    { sendResolved: false, http: false },
  ),
  kind(
    'pagerduty',
    {
      service_key: secret,
      service_key_file: filePath,
      routing_key: secret,
      routing_key_file: filePath,
      url,
      details: map(anything),
      images: list(link),
      links: list(link),
      timeout: durationMs,
      ...texts('client', 'client_url', 'description', 'severity', 'source', 'class', 'component', 'group'),
    },
    all(atMostOne(['routing_key', 'routing_key_file']), atMostOne(['service_key', 'service_key_file']), (settings, { fail }) => {
      if (!['routing_key', 'routing_key_file', 'service_key', 'service_key_file'].some((name) => isSet(settings[name])))
        fail('missing service or routing key in PagerDuty config')
    }),
  ),
  kind(
    'slack',
    {
      api_url: secretUrl,
      api_url_file: filePath,
      app_token: secret,
      app_token_file: filePath,
      app_url: url,
      ...texts(
        'channel',
        'username',
        'color',
        'title',
        'title_link',
        'pretext',
        'text',
        'message_text',
        'footer',
        'fallback',
        'callback_id',
        'icon_emoji',
        'icon_url',
        'image_url',
        'thumb_url',
      ),
      fields: list(slackField),
      short_fields: boolean,
      link_names: boolean,
      mrkdwn_in: list(string),
      actions: list(action),
      timeout: durationMs,
      update_message: boolean,
    },
    all(atMostOne(['api_url', 'api_url_file']), atMostOne(['app_token', 'app_token_file']), checkSlack),
    { sendResolved: false },
  ),
  kind(
    'webhook',
    { url: secretUrl, url_file: filePath, max_alerts: unsigned, timeout: durationMs, payload: anything },
    oneOf(['url', 'url_file']),
  ),
  kind(
    'opsgenie',
    {
      api_key: secret,
      api_key_file: filePath,
      api_url: url,
      details: map(string),
      responders: list(responder),
      update_alerts: boolean,
      ...texts('message', 'description', 'source', 'entity', 'actions', 'tags', 'note', 'priority'),
    },
    atMostOne(['api_key', 'api_key_file']),
  ),
  kind(
    'wechat',
    {
      api_secret: secret,
      api_secret_file: filePath,
      api_url: url,
      ...texts('corp_id', 'message', 'to_user', 'to_party', 'to_tag', 'agent_id', 'message_type'),
    },
    all(atMostOne(['api_secret', 'api_secret_file']), ({ message_type: type }, { fail }) => {
      if (isSet(type) && type !== 'text' && type !== 'markdown')
        fail(`weChat message type ${JSON.stringify(type)} does not match valid options ^(text|markdown)$`, 'message_type')
    }),
    { sendResolved: false },
  ),
  kind(
    'pushover',
    {
      user_key: secret,
      user_key_file: filePath,
      token: secret,
      token_file: filePath,
      ...texts('title', 'message', 'url', 'url_title', 'device', 'sound', 'priority'),
      retry: durationMs,
      expire: durationMs,
      ttl: durationMs,
      html: boolean,
      monospace: boolean,
    },
    all(oneOf(['user_key', 'user_key_file']), oneOf(['token', 'token_file']), ({ html, monospace }, { fail }) => {
      if (html === true && monospace === true) fail('at most one of monospace & html must be configured')
    }),
  ),
  kind(
    'victorops',
    {
      api_key: secret,
      api_key_file: filePath,
      api_url: url,
      ...texts('routing_key', 'message_type', 'state_message', 'entity_display_name', 'monitoring_tool'),
      custom_fields: map(string),
    },
    all(
      required('routing_key', 'missing Routing key in VictorOps config'),
      atMostOne(['api_key', 'api_key_file']),
      ({ custom_fields: fields }, { fail }) => {
        const reserved = [
          'routing_key',
          'message_type',
          'state_message',
          'entity_display_name',
          'monitoring_tool',
          'entity_id',
          'entity_state',
        ]
        const bad = Object.keys((fields ?? {}) as object).find((name) => reserved.includes(name))
        if (bad !== undefined)
          fail(
            `victorOps config contains custom field ${bad} which cannot be used as it conflicts with the fixed/static fields`,
            'custom_fields',
          )
      },
    ),
  ),
  kind(
    'sns',
    {
      api_url: string,
      sigv4: object('sigv4.SigV4Config', {
        region: field('region', string, ''),
        access_key: field('access_key', string, ''),
        secret_key: optional('secret_key', secret),
        profile: field('profile', string, ''),
        role_arn: field('role_arn', string, ''),
        external_id: field('external_id', string, ''),
        use_fips_sts_endpoint: field('use_fips_sts_endpoint', boolean, false),
      }),
      ...texts('topic_arn', 'phone_number', 'target_arn', 'subject', 'message'),
      attributes: map(string),
    },
    (settings, { fail }) => {
      const given = ['topic_arn', 'target_arn', 'phone_number'].filter((name) => isSet(settings[name]))
      if (given.length !== 1) fail('must provide either a Target ARN, Topic ARN, or Phone Number for SNS config')
    },
  ),
  kind(
    'telegram',
    {
      api_url: url,
      bot_token: secret,
      bot_token_file: filePath,
      chat_id: integer,
      chat_id_file: filePath,
      message_thread_id: integer,
      message: string,
      parse_mode: choice(
        ['Markdown', 'MarkdownV2', 'HTML', ''],
        () => 'unknown parse_mode on telegram_config, must be Markdown, MarkdownV2, HTML or empty string',
      ),
      disable_notifications: boolean,
    },
    all(atMostOne(['bot_token', 'bot_token_file']), ({ chat_id: id, chat_id_file: file }, { fail }) => {
      if ((id === undefined || id === 0) && !isSet(file)) fail('missing chat_id or chat_id_file on telegram_config')
      if (isSet(id) && id !== 0 && isSet(file)) fail('at most one of chat_id & chat_id_file must be configured')
    }),
  ),
  kind(
    'webex',
    { api_url: url, message: string, room_id: string },
    all(required('room_id', 'missing room_id on webex_config'), (_settings, { fail }, http) => {
      if (http?.authorization === undefined) fail('missing webex_configs.http_config.authorization')
    }),
  ),
  kind(
    'msteams',
    { webhook_url: secretUrl, webhook_url_file: filePath, ...texts('title', 'summary', 'text') },
    oneOf(['webhook_url', 'webhook_url_file']),
  ),
  kind(
    'msteamsv2',
    { webhook_url: secretUrl, webhook_url_file: filePath, ...texts('title', 'text') },
    oneOf(['webhook_url', 'webhook_url_file']),
  ),
  kind(
    'jira',
    {
      api_url: url,
      api_type: choice(
        ['auto', 'cloud', 'datacenter'],
        (given) => `unknown api_type ${JSON.stringify(given)} on jira_config, must be auto, cloud or datacenter`,
      ),
      ...texts('project', 'issue_type', 'priority', 'resolve_transition', 'reopen_transition', 'wont_fix_resolution'),
      summary: jiraText(),
      description: jiraText(),
      labels: list(string),
      reopen_duration: durationMs,
      fields: map(anything),
      custom_fields: map(anything),
    },
    all(required('project', 'missing project in jira_config'), required('issue_type', 'missing issue_type in jira_config')),
  ),
  kind(
    'incidentio',
    {
      url: secretUrl,
      url_file: filePath,
      alert_source_token: secret,
      alert_source_token_file: filePath,
      max_alerts: unsigned,
      timeout: durationMs,
    },
    all(oneOf(['url', 'url_file']), atMostOne(['alert_source_token', 'alert_source_token_file']), (settings, { fail }, http) => {
      if (!isSet(settings['alert_source_token']) && !isSet(settings['alert_source_token_file']) && http?.authorization === undefined) {
        fail('at least one of alert_source_token, alert_source_token_file or http_config.authorization must be configured')
      }
    }),
  ),
  kind(
    'rocketchat',
    {
      api_url: url,
      token: secret,
      token_file: filePath,
      token_id: secret,
      token_id_file: filePath,
      ...texts('channel', 'color', 'title', 'title_link', 'text', 'emoji', 'icon_url', 'image_url', 'thumb_url'),
      fields: list(slackField),
      short_fields: boolean,
      link_names: boolean,
      actions: list(action),
    },
    all(atMostOne(['token', 'token_file']), atMostOne(['token_id', 'token_id_file'])),
    { sendResolved: false },
  ),
  kind(
    'mattermost',
    {
      webhook_url: secretUrl,
      webhook_url_file: filePath,
      ...texts('channel', 'username', 'icon_url', 'icon_emoji', 'fallback', 'color', 'title', 'title_link', 'pretext', 'text'),
      ...texts('author_name', 'author_link', 'author_icon', 'thumb_url', 'image_url', 'footer', 'footer_icon', 'type'),
      fields: list(slackField),
      props: map(anything),
      priority: map(anything),
      attachments: list(map(anything)),
    },
    atMostOne(['webhook_url', 'webhook_url_file']),
  ),
]

/** A template, or an object with one and whether updates rewrite the text. */
function jiraText(): Codec<unknown> {
  const whole = object<{ template: string; enableUpdate?: boolean }>('jira.JiraFieldConfig', {
    template: field('template', string, ''),
    enableUpdate: optional('enable_update', boolean),
  })
  return {
    goType: 'jira.JiraFieldConfig',
    decode: (node, context) => ('items' in node ? whole.decode(node, context) : { template: string.decode(node, context) }),
    encode: (value) => whole.encode(value as { template: string }),
  }
}

function checkEmailHeaders({ headers }: IntegrationSettings, { fail }: Checker): void {
  const seen = new Set<string>()
  for (const name of Object.keys((headers ?? {}) as object)) {
    const canonical = name.toLowerCase().replaceAll(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())
    if (seen.has(canonical)) fail(`duplicate header ${JSON.stringify(canonical)} in email config`, 'headers')
    seen.add(canonical)
  }
}

const updateUrl = 'https://slack.com/api/chat.postMessage'

function checkSlack(settings: IntegrationSettings, { fail }: Checker, http: HttpClientConfig | undefined): void {
  const hasToken = isSet(settings['app_token']) || isSet(settings['app_token_file'])
  if (hasToken && (isSet(settings['api_url']) || isSet(settings['api_url_file']))) {
    fail('at most one of app_token/app_token_file & api_url/api_url_file must be configured')
  }
  if (hasToken && http?.authorization !== undefined) fail("http authorization can't be set when using Slack app tokens")
  const apiUrl = settings['api_url']
  if (settings['update_message'] === true && apiUrl instanceof Secret && apiUrl.reveal() !== updateUrl) {
    fail(`update_message can only be used with bot tokens. api_url must be set to ${updateUrl}`, 'update_message')
  }
}

type RawIntegration = Readonly<Record<string, unknown>>

function integrationCodec({ kind: name, keys, check, sendResolved, hasHttp }: Kind): ObjectCodec<Omit<IntegrationConfig, 'index'>> {
  const goType = `config.plain`
  const fields = Object.fromEntries(
    Object.entries(keys).map(([key, described]): [string, Field<unknown>] => {
      const [codec, initial] = Array.isArray(described) ? described : [described, undefined]
      return [key, initial === undefined ? optional(key, codec) : field(key, codec, initial)]
    }),
  )
  const http: Readonly<Record<string, Field<unknown>>> = hasHttp
    ? { http_config: optional('http_config', httpClientConfig as Codec<unknown>) }
    : {}
  const raw = object<RawIntegration>(goType, {
    send_resolved: field('send_resolved', boolean, sendResolved, { always: true }),
    ...http,
    ...fields,
  })
  return convertObject<RawIntegration, Omit<IntegrationConfig, 'index'>>(
    raw,
    (given, checker) => {
      const { send_resolved: resolved, http_config: httpConfig, ...settings } = given
      const own = httpConfig as HttpClientConfig | undefined
      check?.(settings, checker, own)
      return { kind: name, sendResolved: resolved === true, ...(own === undefined ? {} : { http: own }), settings }
    },
    ({ sendResolved: resolved, http: own, settings }) => ({ send_resolved: resolved, http_config: own, ...settings }),
    { kind: name, sendResolved, settings: {} },
  )
}

/** A receiver with its integrations of all kinds. */
export interface ReceiverConfig {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly integrations: readonly IntegrationConfig[]
}

const rawReceiver = object<RawIntegration>('config.plain', {
  name: field('name', string, '', { always: true }),
  labels: field('labels', map(string), {}),
  ...Object.fromEntries(
    kinds.map((described) => {
      const key = `${described.kind}_configs`
      return [
        key,
        field(key, list<unknown>(integrationCodec(described), { emptyText: `empty or null entry in ${key}` }), [] as readonly unknown[]),
      ]
    }),
  ),
} as Readonly<Record<string, Field<unknown>>>)

export const receiver: ObjectCodec<ReceiverConfig> = convertObject<RawIntegration, ReceiverConfig>(
  rawReceiver,
  (raw, { fail }) => {
    const name = String(raw['name'])
    if (name === '') fail('missing name in receiver')
    const labels = raw['labels'] as Readonly<Record<string, string>>
    const own = labels['name']
    if (own !== undefined && own !== name)
      fail(`receiver label "name" must match receiver name ${JSON.stringify(name)}, got ${JSON.stringify(own)}`, 'labels')
    const integrations = kinds.flatMap(({ kind: kindName }) =>
      (raw[`${kindName}_configs`] as readonly Omit<IntegrationConfig, 'index'>[]).map((config, index) => ({ ...config, index })),
    )
    return { name, labels: { ...labels, name }, integrations }
  },
  ({ name, labels, integrations }) => {
    const raw: Record<string, unknown> = { name, labels }
    for (const integration of integrations) {
      const key = `${integration.kind}_configs`
      raw[key] = [...((raw[key] as readonly unknown[] | undefined) ?? []), integration]
    }
    return raw
  },
  { name: '', labels: {}, integrations: [] },
)
