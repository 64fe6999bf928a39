import { warnOfFlagsWithoutEffect } from '@narthex/exporter-kit/command-flags'
import type { Exporter } from '@narthex/exporter-kit/exporter'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { MetricsRequest, MetricsResponse } from '@narthex/exporter-kit/metrics-answer'
import { createHttpServer } from '@narthex/http/server'
import type { MainContext } from '@narthex/service/lifecycle'
import { createLogger, type Logger, type LoggerOptions } from '@narthex/service/logger'
import type { FastifyInstance } from 'fastify'
import { createPasswordVerifier } from '../password-verifier.ts'

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
  /** Guards every page before the first is there. */
  readonly protect?: (app: FastifyInstance) => void
  /** Adds the pages beside metrics and landing page. */
  readonly mountPages?: (app: FastifyInstance) => void
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
  const { name, listenAddress, webConfigFile, closes, protect, mountPages } = options
  const http = await createHttpServer({
    listenAddress,
    ...(webConfigFile === '' ? {} : { webConfigFile }),
    log,
    name,
    verifyPassword: createPasswordVerifier(),
  })
  protect?.(http.fastify)
  context.onReload(() => exporter.reload?.())
  http.routes((app, _options, done) => {
    mountExporter(app, exporter.telemetryPath, exporter)
    mountPages?.(app)
    if (exporter.telemetryPath !== '/') {
      app.get('/', (_request, reply) => reply.type('text/html; charset=utf-8').send(exporter.landingPage))
    }
    done()
  })
  const urls = await http.listen()
  context.onStop(closes, () => exporter.close())
  context.onStop('HTTP server', (graceMs) => http.close(graceMs))
  for (const url of urls) log.info('Listening on', { address: url })
}

/** Adds an exporter's metrics page. */
export function mountExporter(app: FastifyInstance, path: string, exporter: Exporter): void {
  mountAnswers(app, path, (request) => exporter.handleMetrics(request))
}

/** Adds a page that an exporter answers as it does its metrics. */
export function mountAnswers(app: FastifyInstance, path: string, answerTo: (request: MetricsRequest) => Promise<MetricsResponse>): void {
  app.get(path, async (request, reply) => {
    const query = new URLSearchParams(request.url.split('?')[1] ?? '')
    const answer = await answerTo({ query, headers: request.headers })
    const { buffer, byteOffset, byteLength } = answer.body
    return reply
      .code(answer.status)
      .headers({ ...answer.headers })
      .send(Buffer.from(buffer, byteOffset, byteLength))
  })
}
