import type { MainContext } from '@narthex/service/lifecycle'
import { UserError } from '@narthex/service/user-error'
import { runCheckConfig } from './check-config.ts'
import { runCheckMetrics } from './check-metrics.ts'
import { runCheckRules } from './check-rules.ts'
import { runCheckServer } from './check-server.ts'

type Check = (argv: readonly string[], context: MainContext) => void | Promise<void>

const checks: Readonly<Record<string, Check>> = {
  config: runCheckConfig,
  rules: runCheckRules,
  metrics: runCheckMetrics,
  healthy: (argv) => runCheckServer('healthy', argv),
  ready: (argv) => runCheckServer('ready', argv),
}

const notBuilt = ['web-config', 'alertmanager-config', 'service-discovery']

/** narthex check KIND [FLAG ...] [FILE ...] */
export async function runCheck(argv: readonly string[], context: MainContext): Promise<void> {
  const [kind, ...rest] = argv
  const check = kind !== undefined && Object.hasOwn(checks, kind) ? checks[kind] : undefined
  if (check !== undefined) return await check(rest, context)
  if (kind !== undefined && notBuilt.includes(kind)) throw new UserError(`narthex check: ${kind} is not built yet`)
  throw new UserError(`narthex check: want one of ${Object.keys(checks).join(', ')}, got ${kind ?? 'nothing'}`)
}
