import { findRuleByName } from './known-services.ts'
import type { ServiceRule } from './known-services.ts'
import type { ProcFiles, WorkSlices } from './proc-files.ts'

/** A process as cheap looks show it. */
export interface ProcessEntry {
  readonly pid: number
  /** The name it gives itself, 15 bytes at most. */
  readonly comm: string
  /** Name of the program's file; empty when it may not be known. */
  readonly exeName: string
  /** `net:[4026531840]`; undefined when it may not be known. */
  readonly netns: string | undefined
  /** The rule that its name fits. */
  readonly rule: ServiceRule | undefined
  /** In the milliseconds of `performance.now()`. */
  readonly firstSeenMs: number
}

/** All processes of a proc file system, kept from scan to scan: of a process that is as before, only the name is read again. */
export class ProcessTable {
  readonly processes = new Map<number, ProcessEntry>()
  readonly #files: ProcFiles

  constructor(files: ProcFiles) {
    this.#files = files
  }

  async update(slices: WorkSlices): Promise<void> {
    const pids = this.#files.listPids()
    const present = new Set(pids)
    for (const pid of this.processes.keys()) if (!present.has(pid)) this.processes.delete(pid)
    for (const pid of pids) {
      if (slices.isOver) await slices.rest()
      this.#look(pid)
    }
  }

  /** True when a process that was not there before, by its number, has the name of a service: worth a scan of its own. */
  hasNewService(): boolean {
    return this.#files.listPids().some((pid) => {
      if (this.processes.has(pid)) return false
      const comm = this.#readComm(pid)
      return comm !== undefined && findRuleByName(comm, '') !== undefined
    })
  }

  #look(pid: number): void {
    const comm = this.#readComm(pid)
    if (comm === undefined) return void this.processes.delete(pid)
    if (this.processes.get(pid)?.comm === comm) return
    const exe = this.#files.readLink(`${pid}/exe`) ?? ''
    const exeName = exe.slice(exe.lastIndexOf('/') + 1).replace(/ \(deleted\)$/, '')
    const netns = this.#files.readLink(`${pid}/ns/net`)
    this.processes.set(pid, { pid, comm, exeName, netns, rule: findRuleByName(comm, exeName), firstSeenMs: performance.now() })
  }

  #readComm(pid: number): string | undefined {
    const bytes = this.#files.read(`${pid}/comm`)
    return bytes === undefined ? undefined : bytes.toString('latin1', 0, Math.max(0, bytes.length - 1))
  }
}
