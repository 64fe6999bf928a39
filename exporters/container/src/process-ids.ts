import { readdirSync } from 'node:fs'
import type { Cgroup, CgroupTree } from './cgroup-tree.ts'
import type { ContainerEnvironment } from './environment.ts'

/** Where the processes of a cgroup are listed: in the tree of the CPU controller as in cAdvisor, else in any. */
export function findProcessDirectory(tree: CgroupTree, cgroup: Cgroup): string | undefined {
  const cpu = tree.controllers.indexOf('cpu')
  return cgroup.directories[cpu] ?? cgroup.directories.find((directory) => directory !== undefined)
}

/** The ids in a file with one per line (`cgroup.procs`, `tasks`); none if it cannot be read. */
export function readProcessIds({ files, scanner }: ContainerEnvironment, path: string): number[] {
  const ids: number[] = []
  const bytes = files.readIfThere(path)
  if (bytes === undefined) return ids
  scanner.load(bytes)
  while (scanner.nextLine()) {
    const id = scanner.nextUnsigned()
    if (id > 0) ids.push(id)
  }
  return ids
}

/** The ids of a cgroup and of all cgroups below it. */
export function readProcessIdsBelow(environment: ContainerEnvironment, directory: string): number[] {
  const ids = readProcessIds(environment, `${directory}/cgroup.procs`)
  let entries
  try {
    entries = readdirSync(directory, { withFileTypes: true })
  } catch {
    return ids
  }
  for (const entry of entries) {
    if (entry.isDirectory()) for (const id of readProcessIdsBelow(environment, `${directory}/${entry.name}`)) ids.push(id)
  }
  return ids
}

/** A process of the cgroup, 0 if it has none. */
export function findProcessId(environment: ContainerEnvironment, tree: CgroupTree, cgroup: Cgroup): number {
  const directory = findProcessDirectory(tree, cgroup)
  return directory === undefined ? 0 : (readProcessIds(environment, `${directory}/cgroup.procs`)[0] ?? 0)
}
