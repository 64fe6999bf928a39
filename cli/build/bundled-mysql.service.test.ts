import { findFreePort, makeTemporaryDirectory, startProcess, waitFor } from '@narthex/test/kit/process'
import { startMariadb } from '@narthex/test/kit/services'
import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { createConnection } from 'mysql2/promise'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bundle } from './bundle.ts'

// The bundle has less of mysql2 than the package: what is left out at first must be there when a server asks for it.

test('the bundled MySQL exporter logs in by TLS, password and certificate checked', { timeout: 120_000 }, async () => {
  const temporary = makeTemporaryDirectory('narthex-bundled-mysql-')
  const path = (name: string): string => join(temporary.path, name)
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', path('key'), '-out', path('crt')], { stdio: 'ignore' })
  chmodSync(temporary.path, 0o755)
  chmodSync(path('key'), 0o644)
  const server = await startMariadb([`--ssl-cert=${path('crt')}`, `--ssl-key=${path('key')}`])
  try {
    const root = await createConnection({ socketPath: `${server.directory}/s.sock`, user: 'root' })
    await root.query(`CREATE USER watcher@localhost IDENTIFIED BY 'a secret' REQUIRE SSL`)
    await root.query(`GRANT PROCESS, REPLICATION CLIENT, SELECT ON *.* TO watcher@localhost`)
    await root.end()
    const scripts = path('bundle')
    await bundle(scripts, { version: '1.2.3', minify: true })
    const settings = ['user = watcher', 'password = a secret', 'host = 127.0.0.1', `port = ${server.port}`, `ssl-ca = ${path('crt')}`]
    writeFileSync(path('my.cnf'), `[client]\n${settings.join('\n')}\n`)
    const port = await findFreePort()
    const flags = [`--config.my-cnf=${path('my.cnf')}`, `--web.listen-address=127.0.0.1:${port}`]
    const exporter = startProcess(process.execPath, [join(scripts, 'exporter-mysql.js'), 'exporter', 'mysql', ...flags])
    try {
      let text = ''
      const ask = async (): Promise<boolean> => (text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()) !== ''
      await waitFor('the exporter', ask, { process: exporter })
      expect(text, exporter.output()).toMatch(/^mysql_up 1$/m)
      expect(text).toMatch(/^mysql_global_status_ssl_accepts [1-9]/m)
    } finally {
      await exporter.stop()
    }
  } finally {
    await server.stop()
    temporary.remove()
  }
})
