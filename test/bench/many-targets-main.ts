import { createServer, type ServerResponse } from 'node:http'

// many-targets-main.ts TARGETS SERIES BIG-BYTES: a process of its own. All targets are one port on every address of 127/8; the answer on the
// path /big has BIG-BYTES. Prints `ready PORT`; told `count`: `answers N lateP99Ms N`.

const [series, bigBytes] = [Number(process.argv[3] ?? 100), Number(process.argv[4] ?? 50e6)]
const intervalMs = Number(process.argv[5] ?? 15_000)

/** A quarter of the values is new from one variant to the next. */
function renderSmall(variant: number): Buffer {
  let text = '# HELP app_requests_total Requests.\n# TYPE app_requests_total counter\n'
  for (let i = 0; i < series; i++) {
    const value = 1000 + i * 37 + (i % 4 === 0 ? variant * 13 : 0)
    text += `app_requests_total{handler="/api/v1/endpoint/${i % 25}",method="${i % 2 === 0 ? 'GET' : 'POST'}",code="${200 + (i % 5)}",part="${i}"} ${value}\n`
  }
  return Buffer.from(text)
}

function renderBig(variant: number): Buffer {
  const parts: string[] = ['# HELP big_bucket_entries Entries.\n# TYPE big_bucket_entries gauge\n']
  let bytes = parts[0]!.length
  for (let i = 0; bytes < bigBytes; i++) {
    const value = i % 4 === 0 ? (i * 7 + variant) % 100_003 : i % 1000
    const line = `big_bucket_entries{namespace="namespace-${i % 97}",pod="pod-${i % 4999}",container="main",bucket="${i}"} ${value}\n`
    parts.push(line)
    bytes += line.length
  }
  return Buffer.from(parts.join(''))
}

const small = Array.from({ length: 8 }, (_, variant) => renderSmall(variant))
const big = bigBytes > 0 ? [renderBig(0), renderBig(1)] : []
const turns = new Map<string, number>()
const lastMs = new Map<string, number>()
let lateMs: number[] = []
let answers = 0

const server = createServer((request, response) => {
  const key = `${request.socket.localAddress}${request.url}`
  const turn = turns.get(key) ?? 0
  turns.set(key, turn + 1)
  const now = performance.now()
  const before = lastMs.get(key)
  if (before !== undefined) lateMs.push(Math.abs(now - before - intervalMs))
  lastMs.set(key, now)
  answers++
  const variants = request.url === '/big' ? big : small
  send(response, variants[turn % variants.length]!)
})

function send(response: ServerResponse, body: Buffer): void {
  response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8', 'Content-Length': String(body.length) })
  response.end(body)
}

server.keepAliveTimeout = 60_000
server.listen(0, '0.0.0.0', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(`ready ${address.port}`)
})
process.stdin.on('data', () => {
  const sorted = lateMs.toSorted((a, b) => a - b)
  console.log(`answers ${answers} lateP99Ms ${(sorted[Math.floor(sorted.length * 0.99)] ?? 0).toFixed(1)}`)
  lateMs = []
})
process.stdin.on('end', () => process.exit(0))
