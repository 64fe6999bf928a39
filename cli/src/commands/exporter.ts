import type { MainContext } from '@narthex/service/lifecycle'
import { UserError } from '@narthex/service/user-error'
import { runMysqlExporter } from './mysql-exporter.ts'
import { runNginxExporter } from './nginx-exporter.ts'
import { runNodeExporter } from './node-exporter.ts'
import { runRedisExporter } from './redis-exporter.ts'

export type StartExporter = (argv: readonly string[], context: MainContext) => Promise<void>

const exporters: Readonly<Record<string, StartExporter>> = {
  node: runNodeExporter,
  mysql: runMysqlExporter,
  redis: runRedisExporter,
  nginx: runNginxExporter,
}
const notBuilt = ['container']

/** narthex exporter NAME [FLAG ...] */
export function runExporter(argv: readonly string[], context: MainContext): Promise<void> {
  const [name, ...rest] = argv
  const start = name !== undefined && Object.hasOwn(exporters, name) ? exporters[name] : undefined
  if (start) return start(rest, context)
  if (name !== undefined && notBuilt.includes(name)) throw new UserError(`narthex exporter: ${name} is not built yet`)
  throw new UserError(`narthex exporter: want one of ${Object.keys(exporters).join(', ')}, got ${name ?? 'nothing'}`)
}
