import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { addRawRoute } from '@narthex/http/raw-route'
import type { Registry } from '@narthex/service/metrics'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { createCsvReader, readJsonLine } from './import-formats.ts'
import { ImportLineError } from './import-line-error.ts'
import { LineImporter, ImportRefusedError, type ImportAppender, type LineReader } from './import-lines.ts'

// A line is read whole, in the thread that takes everything else, for which 4 MiB of JSON take some 8 ms; its samples are appended in pieces.
const lineLengthMax = { json: 4 * 1024 * 1024, csv: 256 * 1024 }
/** Imports at once; a further one is told to come again. */
const importsMax = 2
/** A sender that says nothing for as long is given up. */
const idleMs = 60_000
const textType = 'text/plain; charset=utf-8'

export interface ImportRouteOptions {
  readonly appender: ImportAppender
  readonly registry: Registry
  readonly now: () => number
  /** Why nothing is taken now, if so. */
  refusal(): string | undefined
}

/** Adds `POST /api/v1/import` (lines of JSON) and `/api/v1/import/csv`. Bodies may be of any length, and packed by gzip, zstd or deflate. */
export function addImportRoutes(app: FastifyInstance, options: ImportRouteOptions): void {
  const samples = options.registry.counter('narthex_import_samples_total', 'Samples of imports, by what became of them.', ['outcome'])
  const cells = { imported: samples.labels('imported'), refused: samples.labels('refused') }
  let running = 0
  const add = (url: string, lengthMax: number, createReader: (parameters: URLSearchParams) => LineReader): void => {
    const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
      const refusal = options.refusal()
      if (refusal !== undefined) return await refuse(reply.header('Retry-After', '10'), 503, refusal)
      if (running >= importsMax)
        return await refuse(reply.header('Retry-After', '10'), 429, `${running} imports are running already, the limit`)
      running++
      try {
        const reader = createReader(new URLSearchParams(request.url.split('?', 2)[1] ?? ''))
        return await take(request, reply, new LineImporter(options.appender, reader, options.now()), cells, lengthMax)
      } catch (error) {
        if (error instanceof ImportLineError) return await refuse(reply, 400, error.message)
        throw error
      } finally {
        running--
      }
    }
    addRawRoute(app, { method: 'POST', url, handler })
  }
  add('/api/v1/import', lineLengthMax.json, () => readJsonLine)
  add('/api/v1/import/csv', lineLengthMax.csv, (parameters) => createCsvReader(parameters.get('format') ?? '', options.now()))
}

type Cells = Readonly<Record<'imported' | 'refused', { inc(by: number): void }>>

async function take(
  request: FastifyRequest,
  reply: FastifyReply,
  importer: LineImporter,
  cells: Cells,
  lengthMax: number,
): Promise<FastifyReply> {
  const body = openBody(request)
  if (body === undefined) return await refuse(reply, 415, 'want content encoding gzip, zstd, deflate or none')
  request.raw.setTimeout(idleMs, () => request.raw.destroy(new Error(`nothing came for ${idleMs / 1000} s`)))
  let failure: { readonly status: number; readonly text: string } | undefined
  try {
    await readLines(body, importer, lengthMax)
  } catch (error) {
    failure = describeFailure(error)
  }
  cells.imported.inc(importer.imported)
  cells.refused.inc(importer.refused)
  if (failure === undefined && importer.refused === 0) return await reply.code(204).send()
  const count = `${importer.imported} samples are imported, ${importer.refused} refused`
  const refusals = importer.describeRefusals()
  const text = [failure?.text, refusals === '' ? undefined : refusals, count].filter((line) => line !== undefined).join('\n')
  if (failure?.status === 503) void reply.header('Retry-After', '10')
  return await refuse(reply, failure?.status ?? 400, text)
}

/** Takes the lines of each piece that comes, in turns, and commits them before it waits for the next: others append meanwhile. */
async function readLines(body: Readable, importer: LineImporter, lengthMax: number): Promise<void> {
  const decoder = new StringDecoder('utf8')
  // A line may come in many pieces: each is looked through once.
  let pieces: string[] = []
  let length = 0
  for await (const chunk of body) {
    const text = decoder.write(chunk as Buffer)
    const end = text.lastIndexOf('\n')
    if (end >= 0) {
      await takeLines(`${pieces.join('')}${text.slice(0, end)}`.split('\n'), importer)
      pieces = []
      length = 0
    }
    pieces.push(text.slice(end + 1))
    length += text.length - end - 1
    if (length > lengthMax) throw new ImportLineError(`want lines of at most ${lengthMax} characters: give each fewer samples`)
  }
  await takeLines([pieces.join('') + decoder.end()], importer)
}

async function takeLines(lines: readonly string[], importer: LineImporter): Promise<void> {
  try {
    for (const _turn of importer.takeLines(lines)) {
      importer.commit()
      await nextTurn()
    }
  } catch (error) {
    if (error instanceof ImportLineError) importer.commit()
    else importer.rollback()
    throw error
  }
  importer.commit()
}

function openBody({ raw, headers }: FastifyRequest): Readable | undefined {
  const unpackers: Readonly<Record<string, () => NodeJS.ReadWriteStream & Readable>> = {
    gzip: () => createGunzip(),
    zstd: () => createZstdDecompress(),
    deflate: () => createInflate(),
  }
  const encoding = String(headers['content-encoding'] ?? '').toLowerCase()
  if (encoding === '' || encoding === 'identity') return raw
  const unpack = Object.hasOwn(unpackers, encoding) ? unpackers[encoding] : undefined
  if (unpack === undefined) return undefined
  const unpacked = unpack()
  raw.once('error', (error) => unpacked.destroy(error))
  return raw.pipe(unpacked)
}

function describeFailure(error: unknown): { status: number; text: string } {
  const text = error instanceof Error ? error.message : String(error)
  if (error instanceof ImportLineError) return { status: 400, text }
  if (error instanceof ImportRefusedError) return { status: 503, text }
  if (error instanceof Error && error.name === 'DiskFullError') return { status: 503, text }
  const { code = '' } = error as { code?: string }
  // Of the body: its packing is broken, or the sender went away.
  if (code.startsWith('Z_') || code.startsWith('ZSTD_') || code.startsWith('ERR_ZSTD') || code === 'ECONNRESET')
    return { status: 400, text: `cannot read the body: ${text}` }
  return { status: 500, text: `cannot import: ${text}` }
}

/** The rest of the body is not read. */
function refuse(reply: FastifyReply, status: number, text: string): FastifyReply {
  return reply.code(status).header('Connection', 'close').type(textType).header('X-Content-Type-Options', 'nosniff').send(`${text}\n`)
}
