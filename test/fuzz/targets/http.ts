import { isIP } from 'node:net'
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { AnswerReader, type AnswerUse } from '@narthex/http/direct-client/answer-reader'
import { chooseKind } from '@narthex/agent/scrape/content-type'
import { PieceUnpackers } from '@narthex/agent/scrape/unpack-pieces'
import { unpackZstd } from '@narthex/agent/scrape/unpack-zstd'
import { UnpackedTooLargeError } from '@narthex/agent/scrape/unpacked-too-large'
import { judgeAnswer, type RemoteAnswer } from '@narthex/agent/send/verdict'
import { PlainRequests, readPlainRequest } from '@narthex/http/direct/plain-request'
import { readRequestHead, RequestHeads } from '@narthex/http/direct/request-head'
import { parseHosts, parseResolv } from '@narthex/http/host-lookup'
import { parseProfiles } from '@narthex/http/sigv4-profiles'
import { parseXml } from '@narthex/http/xml-reader'
import { decode, eachPiece, encode, ensure, type FuzzTarget } from '../fuzz-target.ts'

const answerReader = new AnswerReader()
const bodyBytesMax = 100_000
const use: AnswerUse = { bodyBytesMax, wantsHeaders: true, wantsBody: () => true, open: () => undefined }

/** The answer as text, undefined if the bytes end within it; read in pieces of a size. */
function readAnswer(bytes: Uint8Array, pieceBytes: number): string | undefined {
  answerReader.begin(use)
  let isWhole = false
  eachPiece(bytes, pieceBytes, (piece) => {
    // The connection is closed behind the answer. A copy: the reader may move chunks together.
    if (!isWhole) isWhole = answerReader.push(piece.slice())
  })
  if (!isWhole && !answerReader.end()) return undefined
  return JSON.stringify(answerReader.head) + Buffer.from(answerReader.body).toString('latin1')
}

const unpackers = new PieceUnpackers()
const unpackedBytesMax = 20_000
const page = encode('node_cpu_seconds_total{cpu="0",mode="idle"} 1234.5\n'.repeat(300))

/** Fed in pieces of a size, unpacked in pieces of another. */
function unpackInPieces(bytes: Uint8Array, pieceBytes: number): Uint8Array {
  const unpacker = unpackers.open('gzip')!
  const pieces: Uint8Array[] = []
  let length = 0
  try {
    eachPiece(bytes, pieceBytes, (piece) => {
      unpacker.feed(piece)
      for (let unpacked; (unpacked = unpacker.next(100)).length > 0;) {
        length += unpacked.length
        if (length > unpackedBytesMax) throw new UnpackedTooLargeError(`want at most ${unpackedBytesMax} bytes, got more`)
        pieces.push(unpacked.slice())
      }
    })
    unpacker.end()
  } finally {
    unpackers.give(unpacker)
  }
  return Buffer.concat(pieces)
}

/** What Node.js' own function makes of it; undefined for what it refuses. */
function gunzip(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return gunzipSync(bytes, { maxOutputLength: unpackedBytesMax })
  } catch {
    return undefined
  }
}

/** A status and headers, a line each. */
function readHead(bytes: Uint8Array): RemoteAnswer {
  const [status = '', ...lines] = decode(bytes).split('\n')
  const headers = Object.fromEntries(lines.map((line) => [line.split(':')[0]!.toLowerCase(), line.slice(line.indexOf(':') + 1)]))
  return { status: Number.parseInt(status, 10) || 0, headers, body: bytes }
}

const plainRequest = 'GET /metrics?a=1 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n'
const requestHead =
  'POST /api/v1/write HTTP/1.1\r\nHost: a:9090\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\nContent-Length: 0\r\n\r\n'

const sent = { samples: 3, histograms: 1, exemplars: 0 }

export const httpTargets: readonly FuzzTarget[] = [
  {
    name: 'http-answer',
    seeds: [
      encode('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nup 1\n'),
      encode(
        'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nup 1\r\n1\r\n\n\r\n0\r\nA: b\r\n\r\n',
      ),
      encode('HTTP/1.0 503 Service Unavailable\r\nConnection: close\r\n\r\ntry later'),
    ],
    refusals: ['ProtocolError', 'LongAnswerError'],
    read(bytes) {
      const whole = readAnswer(bytes, bytes.length)
      ensure(whole === readAnswer(bytes, 5), 'pieces are another answer than the whole')
      if (whole !== undefined) ensure(answerReader.body.length <= bodyBytesMax, `the body has ${answerReader.body.length} bytes`)
    },
  },
  {
    name: 'http-request-head',
    seeds: [encode(requestHead.repeat(2)), encode(requestHead + requestHead.replace('Length: 0', 'Length:\t12 '))],
    refusals: [],
    read(input) {
      const bytes = Buffer.from(input)
      const heads = new RequestHeads()
      for (let at = 0; at < bytes.length;) {
        const head = readRequestHead(bytes, at)
        ensure(JSON.stringify(heads.read(bytes, at)) === JSON.stringify(head), 'a further head is read as another than the first')
        if (head === undefined) return
        const text = bytes.toString('latin1', at, at + head.headBytes)
        const lines = text.split(/[\r\n]+/)
        ensure(lines.filter((line) => /^\s*content-length\s*:/i.test(line)).length === 1, 'not one length')
        ensure(!lines.some((line) => /^\s*(transfer-encoding|expect|upgrade)\s*:/i.test(line)), 'a head that says more was read')
        ensure(text.endsWith('\r\n\r\n') && text.indexOf('\r\n\r\n') === text.length - 4, 'the head has another end')
        at += head.headBytes
      }
    },
  },
  {
    name: 'http-plain-request',
    seeds: [encode(plainRequest.repeat(2)), encode(plainRequest + plainRequest.replace('gzip', '\t gzip ').replace('GET', 'HEAD'))],
    refusals: [],
    read(input) {
      const requests = new PlainRequests()
      for (let rest = Buffer.from(input); rest.length > 0;) {
        const request = readPlainRequest(rest)
        ensure(JSON.stringify(requests.read(rest)) === JSON.stringify(request), 'a further request is read as another than the first')
        if (request === undefined) return
        const text = rest.toString('latin1', 0, request.bytes)
        ensure(text.endsWith('\r\n\r\n') && text.indexOf('\r\n\r\n') === text.length - 4, 'the request has another end')
        ensure(!/^\s*(content-length|transfer-encoding|expect|upgrade)\s*:/im.test(text), 'a request that says more was read')
        ensure(Object.keys(request.headers).length === text.split(/[\r\n]+/).length - 2, 'not each line is a field')
        rest = rest.subarray(request.bytes)
      }
    },
  },
  {
    name: 'xml',
    seeds: [
      encode('<?xml version="1.0"?><a:r xmlns:a="b"><!-- c --><i k=\'v\'>1 &lt;&#65;&#x1F600;</i><i/><i><![CDATA[<&]]>x</i ></a:r>'),
      encode(
        '<DescribeInstancesResponse><reservationSet><item><id>r</id></item></reservationSet><nextToken>t</nextToken></DescribeInstancesResponse>',
      ),
    ],
    refusals: ['XmlError'],
    read: (bytes) => void parseXml(bytes),
  },
  {
    name: 'aws-profiles',
    seeds: [encode('# a\n[default]\naws_access_key_id = k\nregion=r ; c\n[profile  p]\ns3 =\n  x = y\n')],
    refusals: [],
    read: (bytes) => void parseProfiles(decode(bytes)),
  },
  {
    name: 'gzip',
    seeds: [gzipSync(page), Buffer.concat([gzipSync(encode('a')), gzipSync(encode('b'))]), gzipSync(new Uint8Array(unpackedBytesMax))],
    refusals: ['Error', 'UnpackedTooLargeError'],
    read(bytes) {
      const expected = gunzip(bytes)
      for (const pieceBytes of [bytes.length, 7]) {
        const unpacked = unpackInPieces(bytes, pieceBytes)
        ensure(expected !== undefined && Buffer.compare(unpacked, expected) === 0, 'other bytes than by gunzipSync')
      }
    },
  },
  {
    name: 'zstd',
    seeds: [zstdCompressSync(page), Buffer.concat([zstdCompressSync(page), zstdCompressSync(encode('b'))])],
    refusals: ['Error', 'UnpackedTooLargeError'],
    read: (bytes) => ensure(unpackZstd(bytes, unpackedBytesMax).length <= unpackedBytesMax, 'more was unpacked than is wanted'),
  },
  {
    name: 'content-type',
    seeds: ['text/plain; version=0.0.4; charset=utf-8', 'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8'].map(encode),
    refusals: ['ScrapeError'],
    read: (bytes) => void chooseKind(decode(bytes), undefined),
  },
  {
    name: 'remote-answer',
    seeds: [
      '204\nX-Prometheus-Remote-Write-Samples-Written:3\nX-Prometheus-Remote-Write-Histograms-Written: 1',
      '429\nRetry-After: 30',
      '503\nRetry-After: Wed, 21 Oct 2035 07:28:00 GMT',
      '400\nX-Prometheus-Remote-Write-Exemplars-Written:99999999999999999999999',
    ].map(encode),
    refusals: [],
    read(bytes) {
      const answer = readHead(bytes)
      for (const version of [1, 2] as const) {
        const context = { version, mayFallBack: bytes.length % 2 === 0, hasConfirmed2: bytes.length % 3 === 0, sent, now: 0 }
        const verdict = judgeAnswer(answer, context)
        const { afterMs = 1 } = verdict.kind === 'retry' ? verdict : {}
        ensure(afterMs > 0 && afterMs <= 600_000, `retry after ${afterMs} ms`)
        ensure(verdict.kind !== 'delivered' || (answer.status >= 200 && answer.status < 300), `${answer.status} counts as delivered`)
        if (verdict.kind !== 'delivered' && verdict.kind !== 'drop') continue
        ensure(Object.values(verdict.written).every(Number.isFinite), 'no finite number was written')
      }
    },
  },
  {
    name: 'resolv-conf',
    seeds: [
      encode('# a\nnameserver 10.0.0.2\nsearch svc.cluster.local cluster.local.\noptions ndots:5 timeout:1\n'),
      encode('127.0.0.1 localhost\n::1 localhost ip6-localhost # x\n10.0.0.9\thost.Example host\n'),
    ],
    refusals: [],
    read(bytes) {
      const text = decode(bytes)
      const { search, ndots } = parseResolv(text)
      ensure(Number.isInteger(ndots) && ndots >= 0 && ndots <= 15, `ndots is ${ndots}`)
      ensure(
        search.every((domain) => domain !== '' && !/\s/.test(domain)),
        'a domain is empty or has blanks',
      )
      for (const [name, addresses] of parseHosts(text)) {
        ensure(name === name.toLowerCase() && addresses.length > 0, `host ${name}`)
        for (const { address, family } of addresses) ensure(isIP(address) === family, `address ${address}`)
      }
    },
  },
]
