import { join } from 'node:path'
import { getAsset, isSea } from 'node:sea'
import { setFlagsFromString } from 'node:v8'
import { bundledScript } from './bundled.ts'
import type { ResourceLimits, Transferable, Worker } from 'node:worker_threads'

export interface SpawnWorkerOptions {
  readonly workerData?: unknown
  readonly transferList?: Transferable[]
  /** Its nursery is 6 MB, three halves of 2, unless they say something else: a larger one spreads what few objects a thread makes over more memory. */
  readonly resourceLimits?: ResourceLimits
  /** Extra environment; default: a copy of this process's. */
  readonly env?: NodeJS.ProcessEnv
  readonly argv?: readonly string[]
}

/**
 * Starts a worker thread: from the embedded script `<name>.js` in the single binary, from `devUrl`
 * (`new URL('./query-worker.ts', import.meta.url)`) when the sources run as they are, from beside the main script when that is bundled (of
 * `npm run build`, or by bin/narthex, whose build says where in NARTHEX_WORKERS). The thread carries `name` in the system's lists.
 */
export function spawnWorker(name: string, devUrl: URL, options: SpawnWorkerOptions = {}): Worker {
  const { argv, ...rest } = options
  // The flag of the command line is for the main thread, which has its heap by now. V8 would take it for every other thread, too, whatever its
  // resourceLimits say.
  setFlagsFromString('--max-semi-space-size=0')
  const resourceLimits = { maxYoungGenerationSizeMb: 6, ...options.resourceLimits }
  // Loaded with the first thread: most programs of one thread never have another.
  const { Worker } = process.getBuiltinModule('node:worker_threads')
  const common = { ...rest, resourceLimits, name, ...(argv === undefined ? {} : { argv: [...argv] }) }
  const script = bundledScript(`${name}.js`)
  if (script !== undefined) return new Worker(script, common)
  const bundles = process.env['NARTHEX_WORKERS']
  if (!isSea() && bundles !== undefined) return new Worker(join(bundles, `${name}.cjs`), common)
  return isSea() ? new Worker(getAsset(`${name}.js`, 'utf8'), { ...common, eval: true }) : new Worker(devUrl, common)
}
