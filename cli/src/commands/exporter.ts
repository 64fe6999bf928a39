import type { MainContext } from '@narthex/service/lifecycle'
import { keepProcessSmall } from '@narthex/service/small-process'
import { UserError } from '@narthex/service/user-error'
import { runContainerExporter } from './container-exporter.ts'
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
  container: runContainerExporter,
}

/** narthex exporter NAME [FLAG ...] */
export function runExporter(argv: readonly string[], context: MainContext): Promise<void> {
  const [name, ...rest] = argv
  const start = name !== undefined && Object.hasOwn(exporters, name) ? exporters[name] : undefined
  if (start) {
    keepProcessSmall()
    return start(rest, context)
  }
  throw new UserError(`narthex exporter: want one of ${Object.keys(exporters).join(', ')}, got ${name ?? 'nothing'}`)
}
