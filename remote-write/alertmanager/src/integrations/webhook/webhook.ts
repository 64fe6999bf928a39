import type { FailureReason, Integration, Notification } from '../../notify/integration.ts'
import type { HttpPost } from '../../notify/http-post.ts'
import type { WebhookConfig } from '../../config-shape.ts'
import { makeTemplateData } from '../../notify/template-data.ts'
import { NotifyError } from '../../notify/integration.ts'
import { readFile } from 'node:fs/promises'
import { stringifyAsGo } from '@narthex/model/go-json'

/** Most characters of a receiver's answer that go into an error text. */
const answerLengthMax = 1024

export interface WebhookOptions {
  readonly config: WebhookConfig
  readonly index: number
  readonly httpPost: HttpPost
  readonly userAgent: string
}

/** Posts version 4 of Alertmanager's webhook message. Network errors and 5xx are retried, other answers are final. */
export function createWebhook({ config, index, httpPost, userAgent }: WebhookOptions): Integration {
  return {
    name: 'webhook',
    index,
    sendResolved: config.sendResolved,
    async notify(notification, signal) {
      const url = await readUrl(config)
      const body = makeWebhookBody(notification, config.maxAlerts)
      const headers = { 'content-type': 'application/json', 'user-agent': userAgent }
      const timeoutMs = config.timeoutMs > 0 ? config.timeoutMs : undefined
      const answer = await httpPost({ url, headers, body, http: config.http, timeoutMs, signal }).catch((error: unknown) => {
        // A secret URL must not reach the log by way of an error text.
        const text = redactUrl(error instanceof Error ? error.message : String(error), url)
        throw new NotifyError(`Post "<redacted>": ${text}`, true, 'other', { cause: error })
      })
      if (answer.status >= 200 && answer.status <= 299) return
      const text = answer.body.trim().slice(0, answerLengthMax)
      const message = `unexpected status code ${answer.status}${text === '' ? '' : `: ${text}`}`
      throw new NotifyError(message, answer.status >= 500, classifyStatus(answer.status))
    },
  }
}

/** The JSON text, with the newline that Go's encoder ends it with. `alertsMax` 0 is no limit. */
export function makeWebhookBody(notification: Notification, alertsMax: number): string {
  const { alerts, group } = notification
  const kept = alertsMax > 0 && alerts.length > alertsMax ? alerts.slice(0, alertsMax) : alerts
  const message = {
    ...makeTemplateData({ ...notification, alerts: kept }),
    version: '4',
    groupKey: group.key,
    truncatedAlerts: alerts.length - kept.length,
  }
  return stringifyAsGo(message) + '\n'
}

export function classifyStatus(status: number): FailureReason {
  if (status === 401 || status === 403) return 'authError'
  if (status === 429) return 'rateLimited'
  if (status >= 500) return 'serverError'
  return status >= 400 ? 'clientError' : 'other'
}

// Error texts have the URL as it was given or as the URL parser wrote it.
function redactUrl(text: string, url: string): string {
  const normal = URL.parse(url)?.href ?? url
  return text.replaceAll(normal, '<redacted>').replaceAll(url, '<redacted>')
}

async function readUrl(config: WebhookConfig): Promise<string> {
  if (config.hasPayload) throw new NotifyError('webhook payload templates are not built yet', false, 'notBuilt')
  const url = config.url?.reveal() ?? (await readUrlFile(config.urlFile ?? ''))
  if (url.includes('{{')) throw new NotifyError('templates in webhook URLs are not built yet', false, 'notBuilt')
  return url
}

async function readUrlFile(path: string): Promise<string> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    throw new NotifyError(`read url_file: ${error instanceof Error ? error.message : String(error)}`, false, 'other', { cause: error })
  }
}
