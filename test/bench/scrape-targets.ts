import { createServer, type Server } from 'node:http'
import { gzipSync } from 'node:zlib'
import { recordNodeExporter } from './node-exporter-text.ts'

// A process of its own: 100 targets on 127.0.0.N, one port, each answering 1,000 lines of real node_exporter text in which
// a third of the values are new at every scrape. Prints `ready PORT` and, once told `count` on standard input, the number of answers given.

const targetCount = Number(process.argv[2] ?? 100)
const linesPerTarget = Number(process.argv[3] ?? 1000)
const variantCount = 64

/** Exactly `count` sample lines with their HELP and TYPE: real ones, then the same families once more under another device label. */
function cutToLines(text: string, count: number): string[] {
  const lines = text.trimEnd().split('\n')
  const real = lines.filter((line) => !line.startsWith('#')).length
  const out: string[] = []
  let samples = 0
  for (const line of lines) {
    if (line.startsWith('#')) {
      out.push(line)
      continue
    }
    out.push(line)
    if (++samples === count) break
    // A machine with more processors, disks and interfaces: further series of the same family.
    const extra = Math.ceil((count - real) / real)
    for (let copy = 0; copy < extra && samples < count; copy++) {
      const [, name, labels, value] = /^([^ {]+)(?:\{(.*)\})? (.*)$/.exec(line)!
      out.push(`${name}{${labels ? `${labels},` : ''}unit="extra-${copy}"} ${value}`)
      samples++
    }
    if (samples >= count) break
  }
  return out
}

function makeVariants(lines: readonly string[]): { plain: Buffer; zipped: Buffer }[] {
  const variants = []
  for (let variant = 0; variant < variantCount; variant++) {
    let sample = 0
    const text = lines.map((line) => {
      if (line.startsWith('#')) return line
      sample++
      // Each line changes at every third scrape, so a third of the values is new each time.
      const changes = Math.floor((variant + (sample % 3)) / 3)
      const space = line.lastIndexOf(' ')
      const value = Number(line.slice(space + 1))
      const grown = Number.isInteger(value) ? value + changes * ((sample * 7) % 50) : Number((value + changes * 0.25).toPrecision(12))
      return `${line.slice(0, space)} ${Number.isFinite(grown) ? String(grown) : line.slice(space + 1)}`
    })
    const plain = Buffer.from(`${text.join('\n')}\n`)
    variants.push({ plain, zipped: gzipSync(plain) })
  }
  return variants
}

function serve(variants: readonly { plain: Buffer; zipped: Buffer }[]): { servers: Server[]; answers: () => number } {
  let answers = 0
  // Not in step: no two machines have the same values.
  const turns = Uint32Array.from({ length: targetCount }, (_, target) => (target * 37) % variantCount)
  const servers = Array.from({ length: targetCount }, (_, target) =>
    createServer((request, response) => {
      const { plain, zipped } = variants[turns[target]!++ % variantCount]!
      const zip = /\bgzip\b/.test(request.headers['accept-encoding'] ?? '')
      const body = zip ? zipped : plain
      response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8')
      if (zip) response.setHeader('Content-Encoding', 'gzip')
      response.setHeader('Content-Length', body.length)
      response.end(body)
      answers++
    }),
  )
  return { servers, answers: () => answers }
}

async function listen(servers: readonly Server[]): Promise<number> {
  let port = 0
  for (const [target, server] of servers.entries()) {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, `127.0.0.${target + 1}`, resolve)
    })
    const address = server.address()
    if (address !== null && typeof address === 'object') port = address.port
  }
  return port
}

const [text] = await recordNodeExporter()
const { servers, answers } = serve(makeVariants(cutToLines(text!, linesPerTarget)))
console.log(`ready ${await listen(servers)}`)
process.stdin.on('data', () => console.log(`answers ${answers()}`))
process.stdin.on('end', () => process.exit(0))
