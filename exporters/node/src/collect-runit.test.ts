import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createRunitCollector } from './collect-runit.ts'
import { collectText, createEnvironment } from './test-collect.ts'

function makeStatus(unixSeconds: number, want: string, state: number): Buffer {
  const status = Buffer.alloc(20)
  status.writeBigUInt64BE(2n ** 62n + 10n + BigInt(unixSeconds))
  status[17] = want.charCodeAt(0)
  status[19] = state
  return status
}

test('services show what they are, should be and usually are; those that are not supervised are left out', async () => {
  const root = mkdtempSync(join(tmpdir(), 'narthex-runit-'))
  for (const name of ['web/supervise', 'db/supervise', 'half/supervise', 'new']) mkdirSync(join(root, 'real', name), { recursive: true })
  writeFileSync(join(root, 'real/web/supervise/status'), makeStatus(1_700_000_000, 'u', 1))
  writeFileSync(join(root, 'real/db/supervise/status'), makeStatus(1_600_000_000, 'd', 2))
  writeFileSync(join(root, 'real/db/supervise/down'), '')
  writeFileSync(join(root, 'real/half/supervise/status'), Buffer.alloc(19))
  mkdirSync(join(root, 'service'))
  for (const name of ['web', 'db', 'half', 'new']) symlinkSync(join(root, 'real', name), join(root, 'service', name))
  writeFileSync(join(root, 'service/file'), '')
  const collector = createRunitCollector(createEnvironment({ 'collector.runit.servicedir': join(root, 'service') }))
  expect(await collectText(collector)).toBe(`# TYPE node_service_desired_state gauge
node_service_desired_state{service="db",supervisor="runit"} 0
node_service_desired_state{service="web",supervisor="runit"} 1
# TYPE node_service_normal_state gauge
node_service_normal_state{service="db",supervisor="runit"} 0
node_service_normal_state{service="web",supervisor="runit"} 1
# TYPE node_service_state gauge
node_service_state{service="db",supervisor="runit"} 2
node_service_state{service="web",supervisor="runit"} 1
# TYPE node_service_state_last_change_timestamp_seconds gauge
node_service_state_last_change_timestamp_seconds{service="db",supervisor="runit"} 1.6e+09
node_service_state_last_change_timestamp_seconds{service="web",supervisor="runit"} 1.7e+09
`)
  rmSync(root, { recursive: true })
  await expect(collectText(collector)).rejects.toThrow('ENOENT')
})
