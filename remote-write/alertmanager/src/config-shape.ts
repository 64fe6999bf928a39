import type { HttpClientConfig } from '@narthex/config/http-client-config'
import type { Matcher } from '@narthex/model/matcher'
import type { Secret } from '@narthex/config/secret'
import type { TimeIntervalConfig } from '@narthex/config/time-interval'

/** What this package reads of an `alertmanager.yml`; `adaptConfig` makes it of the parsed file. Absent route fields are inherited. */
export interface AlertmanagerConfig {
  /** The configuration with secrets masked, as `/api/v2/status` shows it. */
  readonly text: string
  readonly resolveTimeoutMs: number
  readonly route: RouteConfig
  readonly receivers: readonly ReceiverConfig[]
  readonly inhibitRules: readonly InhibitRuleConfig[]
  /** `time_intervals` and `mute_time_intervals` together, by name. */
  readonly timeIntervals: ReadonlyMap<string, readonly TimeIntervalConfig[]>
}

export interface RouteConfig {
  readonly receiver?: string | undefined
  /** Label names; `['...']` groups by all labels. */
  readonly groupBy?: readonly string[] | undefined
  readonly continue: boolean
  /** From `match`, `match_re` and `matchers` together. */
  readonly matchers: readonly Matcher[]
  readonly groupWaitMs?: number | undefined
  readonly groupIntervalMs?: number | undefined
  readonly repeatIntervalMs?: number | undefined
  readonly muteTimeIntervals: readonly string[]
  readonly activeTimeIntervals: readonly string[]
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly routes: readonly RouteConfig[]
}

export interface ReceiverConfig {
  readonly name: string
  readonly integrations: readonly IntegrationConfig[]
}

export interface WebhookConfig {
  readonly kind: 'webhook'
  readonly sendResolved: boolean
  /** Set unless `urlFile` is. */
  readonly url?: Secret | undefined
  readonly urlFile?: string | undefined
  readonly http: HttpClientConfig | undefined
  /** Alerts in one message; 0 is all. */
  readonly maxAlerts: number
  /** 0 is none but the group's. */
  readonly timeoutMs: number
  /** Whether `payload` is given, which needs templates. */
  readonly hasPayload: boolean
}

/** An integration that is read but cannot send yet. */
export interface UnbuiltConfig {
  readonly kind: 'unbuilt'
  /** The integration's name: `slack` of `slack_configs`. */
  readonly integration: string
  readonly sendResolved: boolean
}

export type IntegrationConfig = WebhookConfig | UnbuiltConfig

export interface InhibitRuleConfig {
  readonly name?: string | undefined
  readonly sourceMatchers: readonly Matcher[]
  readonly targetMatchers: readonly Matcher[]
  readonly equal: readonly string[]
}
