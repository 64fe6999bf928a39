import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { answersOk, findFreePort, makeTemporaryDirectory, startProcess, waitFor } from './process.ts'

/**
 * Starts `command … exporter node` on a machine whose only mount may hang, so that a helper process must ask for it, and expects the
 * numbers of statfs(2) that only the helper can have brought.
 */
export async function expectHelperAnswers(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<void> {
  const directory = makeTemporaryDirectory('narthex-mounts-')
  const [proc, root] = [join(directory.path, 'proc'), join(directory.path, 'root')]
  mkdirSync(join(proc, '1'), { recursive: true })
  mkdirSync(join(root, 'far'), { recursive: true })
  // A tree that is there, said to be a server's.
  writeFileSync(join(proc, '1', 'mountinfo'), '36 35 0:33 / /far rw,relatime shared:1 - nfs4 server:/export rw,vers=4.2\n')
  const port = await findFreePort()
  const running = startProcess(
    command,
    [
      ...args,
      'exporter',
      'node',
      '--collector.disable-defaults',
      '--collector.filesystem',
      `--path.procfs=${proc}`,
      `--path.rootfs=${root}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { cwd: directory.path, env },
  )
  try {
    await waitFor('the exporter', () => answersOk(`http://127.0.0.1:${port}/`), { process: running, timeoutMs: 60_000 })
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(text, running.output()).toMatch(/^node_filesystem_size_bytes\{device="server:\/export",.*mountpoint="\/far"\} [1-9]/m)
    expect(text).toMatch(/^node_filesystem_device_error\{.*device_error="",.*\} 0$/m)
  } finally {
    await running.stop()
    directory.remove()
  }
}
