import { memoryReceiverName } from './integrations/memory/memory.ts'

/** Configuration of `narthex up`: everything goes into the history that the Alerts page shows. */
export const builtinConfig = `route:
  receiver: ${memoryReceiverName}
  group_by: [alertname]
  group_wait: 5s
  group_interval: 1m
  repeat_interval: 4h
receivers:
  # A receiver of this name keeps its messages in memory for the Alerts page.
  - name: ${memoryReceiverName}
inhibit_rules:
  - source_matchers: [severity="critical"]
    target_matchers: [severity=~"warning|info"]
    equal: [alertname, instance]
`
