import { startFakeServer } from '../src/test-fake-server.ts'
import { openConnection } from '../src/connection.ts'
import { Secret } from '@narthex/config/secret'
import { readFileSync } from 'node:fs'
const s = await startFakeServer({ tls: { key: readFileSync('/tmp/h7k.pem','utf8'), cert: readFileSync('/tmp/h7c.pem','utf8') }, password: 'x' })
try { const c = await openConnection({ address: { kind: 'tcp', host: 'localhost', port: s.port }, user: 'u', password: new Secret('x'), cleartextAllowed: false, tls: { isVerified: true, isRequired: true, caFile: '/tmp/h7c.pem' } }, { statementsFor: () => [], onRefused: () => {} }, 1500); console.log(c.version) } catch (e) { console.log(e) }
console.log(s.received().length, s.received().toString('latin1').slice(0,200))
process.exit()
