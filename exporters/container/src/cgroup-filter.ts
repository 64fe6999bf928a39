import type { ContainerEnvironment } from './environment.ts'
import type { ContainerRow } from './container-row.ts'

/**
 * Which cgroups are shown: the root and containers always; others unless `--docker_only` is given, and with
 * `--raw_cgroup_prefix_whitelist` only those that begin so. systemd's mount units never.
 */
export function createCgroupFilter(environment: ContainerEnvironment): (row: ContainerRow) => boolean {
  const prefixes = environment.list('raw_cgroup_prefix_whitelist')
  const showsAll = prefixes.length === 0 && !environment.flags.boolean('docker_only')
  return (row) => {
    const { path } = row.cgroup
    if (row.isRoot || row.container !== undefined) return true
    if (path.endsWith('.mount')) return false
    return showsAll || prefixes.some((prefix) => path.startsWith(prefix))
  }
}
