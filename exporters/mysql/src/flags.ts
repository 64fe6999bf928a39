import { FlagReader } from '@narthex/exporter-kit/flag-reader'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { collectorFactories, collectorFlags } from './collectors.ts'
import { customQueryFlags } from './custom-queries.ts'
import { sessionFlags } from './session-statements.ts'
import { settingsFlags } from './settings-source.ts'

const exporterFlags: readonly FlagSpec[] = [
  { name: 'web.telemetry-path', type: 'string', default: '/metrics', help: 'Path under which to expose metrics.' },
  { name: 'timeout-offset', type: 'number', default: 0.25, help: 'Offset to subtract from timeout in seconds.' },
]

const switchFlags: readonly FlagSpec[] = collectorFactories.map((create) => {
  const { defaultOn, name, source } = create(new FlagReader(collectorFlags, {}))
  return { name: `collect.${name}`, type: 'boolean', default: defaultOn, help: `Collect from ${source}` }
})

/**
 * The MySQL exporter's own flags with the original's names and defaults. Those of every listener and logger (`web.listen-address`,
 * `web.config.file`, `log.level`, …) belong to the command.
 */
export const mysqlExporterFlags: readonly FlagSpec[] = [
  ...settingsFlags,
  ...customQueryFlags,
  ...sessionFlags,
  ...exporterFlags,
  ...collectorFlags,
  ...switchFlags,
]
