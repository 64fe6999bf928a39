import { startMariadb, startMysqldExporter } from '@narthex/test/kit/services'
const db = await startMariadb()
console.log(JSON.stringify({ port: db.port, directory: db.directory, pid: db.process.pid }))
const peer = await startMysqldExporter(db)
console.log(peer.url)
process.stdin.resume()
process.on('SIGTERM', () => void Promise.all([peer.stop(), db.stop()]).then(() => process.exit(0)))
