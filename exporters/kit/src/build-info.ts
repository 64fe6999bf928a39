import type { MetricWriter } from './collector.ts'

export interface BuildInfo {
  readonly version: string
  readonly revision: string
  readonly branch: string
  /** Build tags, comma separated; usually empty. */
  readonly tags?: string
}

const goArchitectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm64: 'arm64', ppc64: 'ppc64le' }
const goSystems: Readonly<Record<string, string>> = { win32: 'windows', sunos: 'solaris' }

const labelsByInfo = new WeakMap<BuildInfo, readonly string[]>()

/** `<program>_build_info` with the label names of the Go programs; `goversion` is the Node.js version. */
export function writeBuildInfo(writer: MetricWriter, program: string, info: BuildInfo): void {
  let labels = labelsByInfo.get(info)
  if (labels === undefined) labelsByInfo.set(info, (labels = labelsOf(info)))
  writer.family(`${program}_build_info`, `A metric with the constant value 1 and what ${program} was built from as labels.`, 'gauge')
  writer.sample(1, labels)
}

function labelsOf(info: BuildInfo): readonly string[] {
  return [
    'branch',
    info.branch,
    'goarch',
    goArchitectures[process.arch] ?? process.arch,
    'goos',
    goSystems[process.platform] ?? process.platform,
    'goversion',
    `node${process.versions.node}`,
    'revision',
    info.revision,
    'tags',
    info.tags ?? '',
    'version',
    info.version,
  ]
}
