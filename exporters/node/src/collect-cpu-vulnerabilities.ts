import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'

export function createCpuVulnerabilitiesCollector(environment: NodeEnvironment): Collector {
  const root = environment.sysPath('devices/system/cpu/vulnerabilities')

  function collect({ writer }: CollectContext): void {
    writer.family('node_cpu_vulnerabilities_info', 'What the kernel says of each CPU vulnerability, as labels.', 'gauge')
    for (const codename of listFiles(root)) {
      const { state, mitigation } = parseVulnerability(environment.files.read(`${root}/${codename}`).toString('utf8').trim())
      writer.sample(1, ['codename', codename, 'mitigation', mitigation, 'state', state])
    }
  }

  return { name: 'cpu_vulnerabilities', defaultOn: false, collect }
}

/** `Not affected`, `Vulnerable: …`, `Mitigation: …`, `Unknown: …`; anything else (`KVM: Mitigation: …`) is unknown as it stands. */
function parseVulnerability(text: string): { state: string; mitigation: string } {
  const lower = text.toLowerCase()
  if (lower.startsWith('not affected')) return { state: 'not affected', mitigation: '' }
  const state = ['vulnerable', 'mitigation', 'unknown'].find((word) => lower.startsWith(word))
  if (state === undefined) return { state: 'unknown', mitigation: text }
  return { state, mitigation: text.split(/\s+/).slice(1).join(' ') }
}

function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory).sort()
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return []
    throw error
  }
}
