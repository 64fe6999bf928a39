import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findStubStatus } from './nginx-config.ts'
import { RootFiles } from './root-files.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'narthex-nginx-config-'))
})

afterEach(() => rmSync(root, { recursive: true }))

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}

async function find(text: string): Promise<string[]> {
  write('/etc/nginx/nginx.conf', text)
  const pages = await findStubStatus(new RootFiles(root), '/etc/nginx/nginx.conf')
  return pages.map(
    ({ host, port, socketPath, isTls, path, isDefaultServer, serverName }) =>
      `${isTls ? 'tls ' : ''}${socketPath}${host}:${port} ${path}${isDefaultServer ? '' : ` only ${serverName}`}`,
  )
}

test.each([
  ['http { server { listen 8080; location /s { stub_status; } } }', ['*:8080 /s']],
  ['http { server { listen 127.0.0.1:81; location = /s { stub_status on; } } }', ['127.0.0.1:81 /s']],
  ['http { server { listen [::1]:81 ssl; location ^~ /s { access_log off; stub_status; } } }', ['tls ::1:81 /s']],
  ['http { server { listen localhost; location /a/ { location /a/b { stub_status; } } } }', ['localhost:80 /a/b']],
  ['http { server { listen unix:/run/n.sock; stub_status; } }', ['/run/n.sock:0 /']],
  ['http { server { location /s { stub_status; } } }', ['*:80 /s']],
  ['http { server { listen 1; listen 2; location /s { stub_status; } } }', ['*:1 /s', '*:2 /s']],
  // Comments, quotes, variables and escapes.
  [
    'http { # server { stub_status; }\n server { listen 1; add_header x "} stub_status;"; set $a ${b}; location "/s s" { stub_status ; } } }',
    ['*:1 /s s'],
  ],
  // What cannot be asked for.
  ['http { server { listen 1; location ~ ^/s { stub_status; } } }', []],
  ['http { server { listen 1 proxy_protocol; location /s { stub_status; } } }', []],
  ['http { server { listen 1; location /s { stub_status off; } } }', []],
  ['http { server { listen 1; location @s { stub_status; } } }', []],
  ['stream { server { listen 1; stub_status; } }', []],
])('finds the pages of %s', async (text, pages) => {
  expect(await find(text)).toEqual(pages)
})

test('knows which server gets requests without a name', async () => {
  const server = (listen: string, name: string): string => `server { listen ${listen}; server_name ${name}; location /s { stub_status; } }`
  expect(await find(`http { ${server('1', 'a.x')} ${server('1', 'b.x')} }`)).toEqual(['*:1 /s', '*:1 /s only b.x'])
  expect(await find(`http { ${server('1', 'a.x')} ${server('1 default_server', 'b.x')} }`)).toEqual(['*:1 /s only a.x', '*:1 /s'])
})

test('follows includes with globs and links, and leaves out what it cannot read', async () => {
  write('/etc/nginx/sites-available/a', 'server { listen 1; include snippets/*.conf; }')
  write('/etc/nginx/snippets/status.conf', 'location /s { stub_status; }')
  write('/etc/nginx/snippets/.hidden.conf', 'location /h { stub_status; }')
  mkdirSync(join(root, 'etc/nginx/sites-enabled/directory'), { recursive: true })
  symlinkSync('/etc/nginx/sites-available/a', join(root, 'etc/nginx/sites-enabled/a'))
  expect(await find('http { include /etc/nginx/sites-enabled/*; include none.conf; }')).toEqual(['*:1 /s'])
})

test('a configuration that includes itself ends', async () => {
  expect(await find('http { server { listen 1; location /s { stub_status; } } } include nginx.conf;')).not.toEqual([])
})

test.each(['', '}', '{', '{{{', ';;;', '"', 'http {', 'http { server { listen', '\0\xff'])('makes no page of %j', async (text) => {
  expect(await find(text)).toEqual([])
})

test.each(['${', '"\\"', "'\\'", '\\', '# ', '{}', 'a'])('a megabyte of %j is read in no time', async (piece) => {
  // Processor time: a busy machine makes it no longer.
  const before = process.cpuUsage()
  await find(piece.repeat(2 ** 20 / piece.length - 1)).catch(() => [])
  expect(process.cpuUsage(before).user / 1000).toBeLessThan(1500)
})

test('nesting that is too deep is refused, not followed', async () => {
  await expect(find('a {'.repeat(10_000))).rejects.toThrow('too large')
})
