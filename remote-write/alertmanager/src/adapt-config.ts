import type { AlertmanagerConfig, IntegrationConfig, RouteConfig } from './config-shape.ts'
import type { AlertmanagerConfig as ParsedConfig, RouteConfig as ParsedRoute } from '@narthex/config/alertmanager-config'
import type { IntegrationConfig as ParsedIntegration } from '@narthex/config/alertmanager-receivers'
import type { MatcherConfig } from '@narthex/config/alertmanager-matcher'
import { Matcher } from '@narthex/model/matcher'
import { readWebhookSettings } from '@narthex/config/alertmanager-receivers'

/** A parsed `alertmanager.yml` as this package reads it: matchers compiled, webhooks spelt out, what is not built named. */
export function adaptConfig(parsed: ParsedConfig): AlertmanagerConfig {
  return {
    text: parsed.redactedYaml(),
    resolveTimeoutMs: parsed.global.resolveTimeoutMs,
    route: adaptRoute(parsed.route),
    receivers: parsed.receivers.map(({ name, integrations }) => ({ name, integrations: integrations.map(adaptIntegration) })),
    inhibitRules: parsed.inhibitRules.map(({ name, sourceMatchers, targetMatchers, equal }) => ({
      name,
      sourceMatchers: sourceMatchers.map(compileMatcher),
      targetMatchers: targetMatchers.map(compileMatcher),
      equal,
    })),
    timeIntervals: new Map(parsed.timeIntervals.map(({ name, intervals }) => [name, intervals])),
  }
}

function adaptRoute({ continues, groupBy, groupByAll, matchers, routes, ...rest }: ParsedRoute): RouteConfig {
  return {
    ...rest,
    continue: continues,
    groupBy: groupByAll ? ['...'] : groupBy,
    matchers: matchers.map(compileMatcher),
    routes: routes.map(adaptRoute),
  }
}

function compileMatcher({ name, type, value }: MatcherConfig): Matcher {
  return new Matcher(type, name, value)
}

function adaptIntegration(integration: ParsedIntegration): IntegrationConfig {
  const { http, kind, sendResolved } = integration
  if (kind !== 'webhook') return { kind: 'unbuilt', integration: kind, sendResolved }
  const { payload, ...settings } = readWebhookSettings(integration)
  return { kind: 'webhook', sendResolved, http, hasPayload: payload !== undefined, ...settings }
}
