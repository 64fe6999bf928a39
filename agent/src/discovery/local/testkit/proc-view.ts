import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A proc file system that shows only some of the machine's processes, so that a test never speaks to what others run. */
export class ProcView {
  readonly path = mkdtempSync(join(tmpdir(), 'narthex-proc-'))

  constructor() {
    for (const name of ['self', 'stat']) symlinkSync(`/proc/${name}`, join(this.path, name))
  }

  show(pid: number): void {
    symlinkSync(`/proc/${pid}`, join(this.path, String(pid)))
  }

  hide(pid: number): void {
    rmSync(join(this.path, String(pid)), { force: true })
  }

  remove(): void {
    rmSync(this.path, { recursive: true })
  }
}
