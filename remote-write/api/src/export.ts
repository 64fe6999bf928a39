import { Readable } from 'node:stream'
import { createGzip, createZstdCompress } from 'node:zlib'
import { chooseEncoding } from '@narthex/http/compress'
import { findTimeUnit, timeUnits } from '@narthex/model/time-unit'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { abortOnClose } from './abort-on-close.ts'
import type { ApiBackend, ExportColumn, ExportFormat, ExportQuery } from './backend.ts'
import { ApiError, encodeError } from './envelope.ts'
import { earliestMs, invalidParameter, latestMs, type Parameters } from './parameters.ts'
import { PartQueue } from './part-queue.ts'

/** Samples in a line of JSON, unless asked otherwise: a line is read whole by whoever imports it. */
const rowsPreset = 10_000
const rowsMax = 1_000_000
const columnsMax = 100

export interface ExportHelpers {
  readParameters(request: FastifyRequest): Parameters
  /** Throws an ApiError for a wrong selector. */
  checkSelector(selector: string): void
}

/** Adds /api/v1/export and /api/v1/export/csv: raw samples as lines of JSON or CSV, as long as there are some. */
export function registerExport(server: FastifyInstance, backend: ApiBackend, helpers: ExportHelpers): void {
  const routes = [
    { url: '/api/v1/export', type: 'application/x-ndjson', readFormat: readJsonFormat },
    { url: '/api/v1/export/csv', type: 'text/csv; charset=utf-8', readFormat: readCsvFormat },
  ]
  for (const { url, type, readFormat } of routes) {
    const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      if (!backend.lifecycle.isReady()) return reply.code(503).type('text/plain; charset=utf-8').send('Service Unavailable')
      try {
        const parameters = helpers.readParameters(request)
        const query = readQuery(parameters, readFormat(parameters), helpers)
        return await stream(request, reply.type(type), backend, query)
      } catch (error) {
        if (reply.sent) return reply
        if (!(error instanceof ApiError)) backend.reportBug(error)
        const [kind, status] = error instanceof ApiError ? [error.kind, error.status] : (['internal', 500] as const)
        const body = encodeError(kind, error instanceof Error ? error.message : String(error))
        return reply.code(status).type('application/json').send(body)
      }
    }
    server.route({ method: ['GET', 'POST'], url, handler })
  }
}

function readQuery(parameters: Parameters, format: ExportFormat, { checkSelector }: ExportHelpers): ExportQuery {
  const matchers = parameters.all('match[]')
  if (matchers.length === 0) throw new ApiError('bad_data', 'no match[] parameter provided')
  for (const selector of matchers) checkSelector(selector)
  const startMs = parameters.timeMs('start', earliestMs)
  const endMs = parameters.timeMs('end', latestMs)
  if (endMs < startMs) throw invalidParameter('end', 'end timestamp must not be before start time')
  return { matchers, startMs, endMs, format }
}

async function stream(request: FastifyRequest, reply: FastifyReply, backend: ApiBackend, query: ExportQuery): Promise<FastifyReply> {
  const abort = abortOnClose(reply)
  try {
    const parts = new PartQueue()
    const client = { clientAddress: request.ip, method: request.method, path: request.url.split('?', 1)[0]! }
    const running = backend.query
      .export(query, (bytes, onTaken) => parts.push(bytes, onTaken), abort.signal, client)
      .then(
        () => parts.end(),
        (error: unknown) => parts.end(error),
      )
    await parts.begin()
    const lines = Readable.from(parts, { objectMode: false })
    const encoding = chooseEncoding(request.headers['accept-encoding'])
    void reply.header('vary', 'Accept-Encoding')
    if (encoding !== undefined) void reply.header('content-encoding', encoding)
    const packed = encoding === undefined ? lines : lines.pipe(encoding === 'gzip' ? createGzip({ level: 1 }) : createZstdCompress())
    // A failure in the middle breaks the connection off, so that nobody takes what came for the whole.
    lines.once('error', (error) => {
      if (!(error instanceof ApiError)) backend.reportBug(error)
      packed.destroy(error)
    })
    await reply.send(packed)
    await running
    return reply
  } finally {
    abort.end()
  }
}

function readJsonFormat(parameters: Parameters): ExportFormat {
  const rows = parameters.integer('max_rows_per_line', rowsPreset)
  if (rows === undefined || rows < 1 || rows > rowsMax) throw invalidParameter('max_rows_per_line', `want 1 to ${rowsMax}`)
  return { kind: 'json', rowsMax: rows }
}

/** `format=__name__,job,__value__,__timestamp__:unix_s` */
function readCsvFormat(parameters: Parameters): ExportFormat {
  const text = parameters.get('format')
  if (text === '')
    throw new ApiError('bad_data', 'no format parameter provided: want columns as in __name__,job,__value__,__timestamp__:unix_s')
  const columns = text.split(',').map((column) => readColumn(column.trim()))
  if (columns.length > columnsMax) throw invalidParameter('format', `want at most ${columnsMax} columns`)
  return { kind: 'csv', columns }
}

function readColumn(text: string): ExportColumn {
  if (text === '') throw invalidParameter('format', 'a column without a name')
  if (text === '__value__') return { kind: 'value' }
  const [name, unitText = 'unix_ms'] = text.split(':', 2)
  if (name !== '__timestamp__') return { kind: 'label', name: text }
  const unit = findTimeUnit(unitText)
  if (unit === undefined) throw invalidParameter('format', `unknown unit ${JSON.stringify(unitText)}: want one of ${timeUnits.join(', ')}`)
  return { kind: 'time', unit }
}
