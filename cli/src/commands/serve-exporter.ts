import { warnOfFlagsWithoutEffect } from '@narthex/exporter-kit/command-flags'
import type { Exporter } from '@narthex/exporter-kit/exporter'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { MetricsResponse } from '@narthex/exporter-kit/metrics-answer'
import { createPageServer, type Page, type PageServerOptions } from '@narthex/exporter-kit/page-server'
import type { MainContext } from '@narthex/service/lifecycle'
import { createLogger, type Logger, type LoggerOptions } from '@narthex/service/logger'
import { createHeapKeeper } from '@narthex/service/small-process'
import { UserError } from '@narthex/service/user-error'
import { createPasswordVerifier } from '../password-verifier.ts'

const plainText = 'text/plain; charset=utf-8'

/** An exporter that a command of its own serves. */
export interface ServedExporter extends Exporter {
  readonly telemetryPath: string
  /** HTML, shown at `/` unless the metrics are there. */
  readonly landingPage: string
  /** Called at SIGHUP and by `context.reload()`. */
  reload?(): void
}

export interface ServeOptions {
  /** The server's name in log lines and errors: `MySQL exporter`. */
  readonly name: string
  readonly listenAddress: readonly string[]
  /** Empty for none. */
  readonly webConfigFile: string
  /** What the exporter's `close` ends, in words: `connections`. */
  readonly closes: string
  /** Users of the program's own flags. */
  readonly users?: PageServerOptions['users']
  /** The pages beside metrics and landing page. */
  readonly pages?: readonly Page[]
  /** The landing page stands at every path that has no page of its own. */
  readonly landsEverywhere?: boolean
}

/** The log of an exporter's command, with a warning for each given flag that has no effect. */
export function startExporterLog(
  context: MainContext,
  options: LoggerOptions,
  specs: readonly FlagSpec[],
  given: ReadonlySet<string>,
): Logger {
  const log = createLogger(options)
  context.setLog(log)
  for (const warning of warnOfFlagsWithoutEffect(specs, given)) log.warn(warning)
  return log
}

/** Listens with the exporter's pages until the program stops; rejects when an address or the web config file cannot be used. */
export async function serveExporter(context: MainContext, log: Logger, exporter: ServedExporter, options: ServeOptions): Promise<void> {
  const { name, listenAddress, webConfigFile, closes, landsEverywhere, users, pages = [] } = options
  const { landingPage, telemetryPath } = exporter
  if (!telemetryPath.startsWith('/')) {
    throw new UserError(`cannot serve metrics at ${JSON.stringify(telemetryPath)}: want a path that begins with /`)
  }
  const keepHeap = createHeapKeeper()
  const metrics = getPage(telemetryPath, (request) => {
    keepHeap()
    return exporter.handleMetrics(request)
  })
  const answerLanding = (): MetricsResponse => answerPage(200, 'text/html; charset=utf-8', landingPage)
  const landing = getPage('/', answerLanding)
  const server = createPageServer({
    pages: [metrics, ...(telemetryPath === '/' ? [] : [landing]), ...pages],
    ...(landsEverywhere === true ? { elsewhere: answerLanding } : {}),
    listenAddress,
    ...(webConfigFile === '' ? {} : { webConfigFile }),
    log,
    name,
    verifyPassword: createPasswordVerifier,
    ...(users === undefined ? {} : { users }),
  })
  context.onReload(() => exporter.reload?.())
  const urls = await server.listen()
  context.onStop(closes, () => exporter.close())
  context.onStop('HTTP server', (graceMs) => server.close(graceMs))
  for (const url of urls) log.info('Listening on', { address: url })
}

/** A page that is read. */
export function getPage(path: string, answer: Page['answer']): Page {
  return { path, methods: ['GET'], answer }
}

/** Whether the program is there. */
export function healthPage(path: string): Page {
  return getPage(path, () => answerPage(200, plainText, 'ok'))
}

/** `/-/reload`: reads again what SIGHUP reads again; `what` stands in the answer if that fails. */
export function reloadPage(methods: Page['methods'], reload: () => Promise<void>, what: string, done: string): Page {
  const answer = async (): Promise<MetricsResponse> => {
    try {
      await reload()
      return answerPage(200, plainText, done)
    } catch (error) {
      return answerPage(500, plainText, `failed to reload ${what}: ${error instanceof Error ? error.message : String(error)}\n`)
    }
  }
  return { path: '/-/reload', methods, answer }
}

function answerPage(status: number, type: string, text: string): MetricsResponse {
  return { status, headers: { 'content-type': type }, body: Buffer.from(text) }
}
