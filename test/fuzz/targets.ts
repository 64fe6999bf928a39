import type { FuzzTarget } from './fuzz-target.ts'
import { chunkTargets } from './targets/chunks.ts'
import { cloudTargets } from './targets/clouds.ts'
import { configTargets } from './targets/config.ts'
import { containerTargets } from './targets/container.ts'
import { etcdTargets } from './targets/etcd.ts'
import { exporterTargets } from './targets/exporters.ts'
import { expositionTargets } from './targets/exposition.ts'
import { httpTargets } from './targets/http.ts'
import { kubernetesTargets } from './targets/kubernetes.ts'
import { localTargets } from './targets/local.ts'
import { logTargets } from './targets/log.ts'
import { mysqlTargets } from './targets/mysql.ts'
import { nginxTargets } from './targets/nginx.ts'
import { nodeTargets } from './targets/node.ts'
import { probeTargets } from './targets/probes.ts'
import { promqlTargets } from './targets/promql.ts'
import { serviceTargets } from './targets/services.ts'
import { storageTargets } from './targets/storage.ts'
import { targetListTargets } from './targets/target-lists.ts'
import { wireTargets } from './targets/wire.ts'

/** Everything that reads what others wrote, by area. */
export const fuzzTargets: readonly FuzzTarget[] = [
  ...wireTargets,
  ...expositionTargets,
  ...configTargets,
  ...promqlTargets,
  ...httpTargets,
  ...targetListTargets,
  ...serviceTargets,
  ...etcdTargets,
  ...cloudTargets,
  ...kubernetesTargets,
  ...localTargets,
  ...probeTargets,
  ...logTargets,
  ...exporterTargets,
  ...mysqlTargets,
  ...nginxTargets,
  ...nodeTargets,
  ...containerTargets,
  ...chunkTargets,
  ...storageTargets,
]
