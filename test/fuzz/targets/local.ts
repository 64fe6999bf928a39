import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { matchesAny } from '@narthex/agent/discovery/local/glob'
import { findStubStatus } from '@narthex/agent/discovery/local/nginx-config'
import { ProcFiles } from '@narthex/agent/discovery/local/proc-files'
import { findContainerId, findSystemdUnit, hideSecrets } from '@narthex/agent/discovery/local/process-facts'
import { readStat } from '@narthex/agent/discovery/local/process-stat'
import { RootFiles } from '@narthex/agent/discovery/local/root-files'
import { readClientSection, readRedisConfig } from '@narthex/agent/discovery/local/service-files'
import { createSocketTable, updateSocketTable } from '@narthex/agent/discovery/local/socket-tables'
import { decode, eachPiece, encode, ensure, type FuzzTarget } from '../fuzz-target.ts'

/** A proc file system whose every file has the same content and comes in pieces of a size. */
class SameFiles extends ProcFiles {
  content: Uint8Array = new Uint8Array(0)
  readonly #pieceBytes: number

  constructor(pieceBytes: number) {
    super('/nonexistent')
    this.#pieceBytes = pieceBytes
  }

  override read(): Buffer {
    return Buffer.from(this.content)
  }

  override readChunks(_path: string, take: (chunk: Buffer) => boolean): boolean {
    let isWanted = true
    // Each piece lies where the one before lay, as in the one buffer that is used for all.
    const lent = Buffer.alloc(Math.min(this.#pieceBytes, this.content.length))
    eachPiece(this.content, this.#pieceBytes, (piece) => {
      lent.set(piece)
      isWanted &&= take(lent.subarray(0, piece.length))
    })
    return true
  }
}

const wholeFiles = new SameFiles(200_000)
const pieceFiles = new SameFiles(61)
const statFiles = new SameFiles(200_000)

const tcpTable = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0CEA 00000000:0000 0A 00000000:00000000 00:00000000 00000000   999        0 21345 1 0000000000000000 100 0 0 10 0
   1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1
   2: 0000000000000000FFFF00000100007F:18EB 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 778 1
   3: 0100007F:0CEA 0100007F:8000 01 00000000:00000000 00:00000000 00000000   999        0 21346 1
`
const unixTable = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 31337 /run/mysqld/mysqld.sock
0000000000000000: 00000002 00000000 00010000 0001 01 31338 @abstract
0000000000000000: 00000003 00000000 00000000 0001 03 31339 /run/other
`

const nginxConf = `worker_processes 1;
events { worker_connections 16; }
http {
  # pages
  include /conf.d/*.conf;
  server { listen 127.0.0.1:8080 default_server; listen [::1]:81 ssl; server_name "a b";
    location = /status { stub_status; } location ~ ^/x { stub_status on; } location /in { location /in/er { stub_status; } } }
  server { listen unix:/run/nginx.sock; location /s { stub_status off; } }
}
`

let directory = ''

function writeConfig(bytes: Uint8Array): RootFiles {
  if (directory === '') {
    directory = mkdtempSync(join(tmpdir(), 'narthex-fuzz-'))
    mkdirSync(join(directory, 'conf.d'))
  }
  // The main file includes itself, too.
  for (const name of ['nginx.conf', 'conf.d/a.conf']) writeFileSync(join(directory, name), bytes)
  return new RootFiles(directory)
}

export const localTargets: readonly FuzzTarget[] = [
  {
    name: 'proc-sockets',
    seeds: [encode(tcpTable), encode(unixTable)],
    refusals: [],
    read(bytes) {
      wholeFiles.content = bytes
      pieceFiles.content = bytes
      const whole = createSocketTable()
      const pieces = createSocketTable()
      updateSocketTable(whole, wholeFiles, 'net')
      updateSocketTable(pieces, pieceFiles, 'net')
      for (const { inode, host, port } of [...whole.tcp.values(), ...pieces.tcp.values()]) {
        ensure(Number.isSafeInteger(inode) && inode >= 0, `inode ${inode}`)
        ensure(isIP(host) !== 0, `host ${host}`)
        ensure(Number.isInteger(port) && port >= 0 && port <= 65_535, `port ${port}`)
      }
      for (const { path } of whole.unix.values()) ensure(path.startsWith('/'), `path ${path}`)
      ensure(JSON.stringify([...whole.unix]) === JSON.stringify([...pieces.unix]), 'pieces have other sockets than the whole')
    },
  },
  {
    name: 'proc-stat',
    seeds: [encode(`412 (my) (sqld) S 1 ${Array.from({ length: 48 }, (_, i) => String(i * 11)).join(' ')}\n`)],
    refusals: [],
    read(bytes) {
      statFiles.content = bytes
      const stat = readStat(statFiles, 412)
      ensure(stat === undefined || (Number.isFinite(stat.parentPid) && Number.isFinite(stat.startTimeMs)), 'a start is no number')
    },
  },
  {
    name: 'proc-cgroup',
    seeds: [
      encode(`0::/system.slice/docker-${'ab12'.repeat(16)}.scope\n`),
      encode(`12:pids:/kubepods/besteffort/pod1/${'0f'.repeat(32)}\n1:name=systemd:/system.slice/redis-server.service\n0::/\n`),
    ],
    refusals: [],
    read(bytes) {
      const text = decode(bytes)
      ensure(/^([0-9a-f]{64})?$/.test(findContainerId(text)), 'no container id')
      ensure(/^(|.*\.(service|scope))$/s.test(findSystemdUnit(text)), 'no unit')
    },
  },
  {
    name: 'command-line',
    seeds: [
      encode('mysqld\0--user=x\0--password=hunter2\0-p\0'),
      encode('redis-server\0--requirepass\0hunter2\0redis://u:hunter2@h:1/\0--api-key=hunter2\0'),
    ],
    refusals: [],
    read(bytes) {
      const args = decode(bytes).split('\0')
      const hidden = hideSecrets(args)
      ensure(hidden.length === args.length, 'an argument is missing')
      for (const [index, argument] of args.entries()) {
        if (/^--?(password|requirepass|api-key)=./.test(argument)) ensure(hidden[index]!.endsWith('=<secret>'), `shown: ${argument}`)
      }
    },
  },
  {
    name: 'local-glob',
    seeds: [encode('*exporter*|?edis*\0node_exporter')],
    refusals: [],
    read(bytes) {
      const [globs = '', name = ''] = decode(bytes).split('\0')
      const isMatch = matchesAny(globs.split('|'), name)
      ensure(isMatch || !globs.split('|').includes(name), 'a text does not fit itself')
    },
  },
  {
    name: 'nginx-config',
    seeds: [encode(nginxConf)],
    refusals: ['Error'],
    share: 150,
    async read(bytes) {
      for (const page of await findStubStatus(writeConfig(bytes), '/nginx.conf')) {
        ensure(page.path.startsWith('/'), `a page is at ${page.path}`)
        ensure(page.port >= 0 && (page.socketPath === '') !== (page.host === ''), `a server listens at ${page.host}:${page.port}`)
      }
    },
    close() {
      if (directory !== '') rmSync(directory, { recursive: true, force: true })
      directory = ''
    },
  },
  {
    name: 'service-files',
    seeds: [
      encode('[mysqld]\nuser=mysql\n[client]\nuser = root\npassword = "p w"\n'),
      encode("port 6380\ntls-port 0\nrequirepass 'se cret'\nsave 60 1\n"),
    ],
    refusals: [],
    read(bytes) {
      const text = decode(bytes)
      const client = readClientSection(text)
      ensure(client === undefined || typeof client.password === 'string', 'a password is no text')
      const redis = readRedisConfig(text, { tcp: [{ inode: 1, host: '::', port: 6380 }], unix: [{ inode: 2, path: '/run/redis.sock' }] })
      ensure(redis === undefined || redis.password !== '', 'a password is empty')
    },
  },
]
