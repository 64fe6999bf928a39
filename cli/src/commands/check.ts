import type { MainContext } from '@narthex/service/lifecycle'
import { UserError } from '@narthex/service/user-error'
import { runCheckConfig } from './check-config.ts'
import { runCheckMetrics } from './check-metrics.ts'
import { runCheckRules } from './check-rules.ts'
import { runCheckServer } from './check-server.ts'
import { runCheckServiceDiscovery } from './check-service-discovery.ts'
import { runCheckWebConfig } from './check-web-config.ts'

type Check = (argv: readonly string[], context: MainContext) => void | Promise<void>

const checks: Readonly<Record<string, Check>> = {
  config: runCheckConfig,
  rules: runCheckRules,
  metrics: runCheckMetrics,
  'web-config': runCheckWebConfig,
  'service-discovery': runCheckServiceDiscovery,
  healthy: (argv) => runCheckServer('healthy', argv),
  ready: (argv) => runCheckServer('ready', argv),
}

const notBuilt = ['alertmanager-config']

/** narthex check KIND [FLAG ...] [FILE ...] */
export async function runCheck(argv: readonly string[], context: MainContext): Promise<void> {
  const [kind, ...rest] = argv
  const check = kind !== undefined && Object.hasOwn(checks, kind) ? checks[kind] : undefined
  if (check !== undefined) return await check(rest, context)
  if (kind !== undefined && notBuilt.includes(kind)) throw new UserError(`narthex check: ${kind} is not built yet`)
  throw new UserError(`narthex check: want one of ${Object.keys(checks).join(', ')}, got ${kind ?? 'nothing'}`)
}
