import type { Exporter } from '@narthex/exporter-kit/exporter'
import type { FastifyInstance } from 'fastify'

/** Adds an exporter's metrics page to a server of something else. */
export function mountExporter(app: FastifyInstance, path: string, exporter: Exporter): void {
  app.get(path, async (request, reply) => {
    const query = new URLSearchParams(request.url.split('?')[1] ?? '')
    const answer = await exporter.handleMetrics({ query, headers: request.headers })
    const { buffer, byteOffset, byteLength } = answer.body
    return reply
      .code(answer.status)
      .headers({ ...answer.headers })
      .send(Buffer.from(buffer, byteOffset, byteLength))
  })
}
