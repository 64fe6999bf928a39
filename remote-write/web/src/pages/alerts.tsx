import { getJson } from '../api-client.ts'
import { formatAgo, formatSeconds } from '../format.ts'
import { follow, pageUrl } from '../route.ts'
import { usePolled } from '../use-polled.ts'
import { LabelList } from './label-list.tsx'

interface Alert {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly state: 'pending' | 'firing' | 'inactive'
  readonly activeAt: string
  readonly value: string
}

interface Rule {
  readonly type: 'alerting' | 'recording'
  readonly name: string
  readonly query: string
  readonly state?: Alert['state']
  readonly duration?: number
  readonly alerts?: readonly Alert[]
  readonly health: string
  readonly lastError?: string
  readonly evaluationTime: number
  readonly lastEvaluation: string
}

interface Group {
  readonly name: string
  readonly file: string
  readonly interval: number
  readonly rules: readonly Rule[]
}

/** A notification that the embedded alertmanager delivered, newest first. */
interface Notification {
  readonly timeMs: number
  readonly receiver: string
  readonly integration: string
  readonly status: string
  readonly outcome: 'delivered' | 'failed'
  readonly alertCount: number
  readonly alerts: readonly { readonly status: string; readonly labels: Readonly<Record<string, string>> }[]
  readonly error?: string
}

const order = { firing: 0, pending: 1, inactive: 2 } as const

/** Alerting and recording rules with their alerts, and what the embedded alertmanager delivered. */
export function AlertsPage() {
  const rules = usePolled(async (signal) => (await getJson<{ groups: Group[] }>('api/v1/rules', {}, signal)).data.groups, 5_000, 'rules')
  const notifications = usePolled(
    async (signal) => (await getJson<Notification[]>('api/v1/narthex/notifications', {}, signal)).data,
    5_000,
    'notifications',
  )
  return (
    <>
      <h1>Alerts</h1>
      {rules.error && <p class="error">{rules.error}</p>}
      {rules.value?.length === 0 && <p class="note">No rule is configured.</p>}
      {rules.value?.map((group) => (
        <GroupView key={group.file + group.name} group={group} />
      ))}
      <section class="panel" id="delivered">
        <h2>Delivered</h2>
        {notifications.error && <p class="note">{notifications.error}</p>}
        {notifications.value?.length === 0 && <p class="note">Nothing has been delivered yet.</p>}
        <table>
          <tbody>
            {notifications.value?.map((notification, index) => (
              <NotificationRow key={index} notification={notification} />
            ))}
          </tbody>
        </table>
      </section>
    </>
  )
}

function NotificationRow({ notification }: { notification: Notification }) {
  const { timeMs, receiver, integration, status, outcome, alertCount, alerts, error } = notification
  const names = [...new Set(alerts.map((alert) => alert.labels['alertname'] ?? ''))].join(', ')
  return (
    <tr>
      <td>{`${formatSeconds(Math.max(0, Date.now() - timeMs) / 1000)} ago`}</td>
      <td>
        <span class={`badge ${outcome === 'failed' ? 'down' : status}`}>{outcome === 'failed' ? 'failed' : status}</span>
      </td>
      <td>{`${receiver} (${integration})`}</td>
      <td>{error ?? `${names} (${alertCount} ${alertCount === 1 ? 'alert' : 'alerts'})`}</td>
    </tr>
  )
}

function GroupView({ group }: { group: Group }) {
  const rules = [...group.rules].sort((a, b) => order[a.state ?? 'inactive'] - order[b.state ?? 'inactive'])
  return (
    <section class="panel">
      <h2>
        {group.name}
        <span class="note">{`${group.file} · every ${formatSeconds(group.interval)}`}</span>
      </h2>
      {rules.map((rule) => (
        <details key={rule.name + rule.query} open={(rule.alerts?.length ?? 0) > 0}>
          <summary>
            <span class={`badge ${rule.health === 'err' ? 'down' : (rule.state ?? 'recording')}`}>
              {rule.health === 'err' ? 'error' : (rule.state ?? 'recording')}
            </span>{' '}
            <strong>{rule.name}</strong>{' '}
            <span class="note">{`evaluated ${formatAgo(rule.lastEvaluation)} in ${formatSeconds(rule.evaluationTime)}`}</span>
          </summary>
          {rule.lastError && <p class="error">{rule.lastError}</p>}
          <p>
            <a class="metric" href={pageUrl('query', new URLSearchParams({ 'g0.expr': rule.query, 'g0.tab': '1' }))} onClick={follow}>
              {rule.query}
            </a>
            {rule.duration ? <span class="note">{` for ${formatSeconds(rule.duration)}`}</span> : null}
          </p>
          {rule.alerts && rule.alerts.length > 0 && <AlertTable alerts={rule.alerts} />}
        </details>
      ))}
    </section>
  )
}

function AlertTable({ alerts }: { alerts: readonly Alert[] }) {
  return (
    <table>
      <tbody>
        {alerts.map((alert, index) => (
          <tr key={index}>
            <td>
              <span class={`badge ${alert.state}`}>{alert.state}</span>
            </td>
            <td>
              <LabelList labels={alert.labels} />
              {Object.entries(alert.annotations).map(([name, text]) => (
                <p key={name} class="note">{`${name}: ${text}`}</p>
              ))}
            </td>
            <td>{`began ${formatAgo(alert.activeAt)}`}</td>
            <td class="value">{alert.value}</td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
