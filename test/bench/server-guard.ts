import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import bcrypt from 'bcryptjs'
import { findProgram } from '../kit/packages.ts'

/** TLS and basic auth of a server, and what a client needs to get in. */
export interface ServerGuard {
  readonly certificateFile: string
  readonly keyFile: string
  /** `--web.config.file` of Prometheus and ours. */
  readonly webConfigFile: string
  readonly user: string
  readonly password: string
  /** PEM: clients trust this one. */
  readonly certificate: string
  /** Value of the request header. */
  readonly authorization: string
}

// Go's default of htpasswd tools, and what Prometheus' documentation shows.
const bcryptCost = 10

/** Makes a key on P-256 (the one that VictoriaMetrics' flags recommend), its certificate for localhost, and the files of all servers. */
export function makeServerGuard(directory: string): ServerGuard {
  const [user, password] = ['writer', 'a long enough secret']
  const certificateFile = join(directory, 'certificate.pem')
  const keyFile = join(directory, 'key.pem')
  const key = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    keyFile,
    '-out',
    certificateFile,
  ]
  const subject = ['-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const made = spawnSync(findProgram('openssl') ?? 'openssl', [...key, ...subject], { encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`cannot make a certificate: ${made.stderr}`)
  const webConfigFile = join(directory, 'web.yml')
  const users = `basic_auth_users: {${user}: '${bcrypt.hashSync(password, bcryptCost)}'}\n`
  writeFileSync(webConfigFile, `tls_server_config: {cert_file: certificate.pem, key_file: key.pem}\n${users}`)
  const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
  return { certificateFile, keyFile, webConfigFile, user, password, certificate: readFileSync(certificateFile, 'utf8'), authorization }
}
