import { createHttpClient } from '@narthex/http/client'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { UserError } from '@narthex/service/user-error'
import { httpConfigFileFlag, readHttpConfigFile } from '../http-config-file.ts'
import { versionText } from '../version.ts'
import { checkFlags } from './check-flags.ts'

// narthex check healthy|ready: asks a running server or agent, as promtool does.

const timeoutMs = 10_000
const answerBytesMax = 64 * 1024

/** Throws UserError when the program at `--url` does not answer 200. */
export async function runCheckServer(kind: 'healthy' | 'ready', argv: readonly string[]): Promise<void> {
  const { values } = parseFlags(
    {
      name: `narthex check ${kind}`,
      help: `Check if the server is ${kind}.`,
      version: versionText(`narthex check ${kind}`),
      flags: {
        ...checkFlags,
        url: flag.text('url', 'The URL for the server.', 'http://localhost:9090', { placeholder: '<URL>' }),
        httpConfigFile: httpConfigFileFlag,
      },
    },
    argv,
  )
  const base = /^[a-z]+:\/\//i.test(values.url) ? values.url : `http://${values.url}`
  if (!URL.canParse(base)) throw new UserError(`narthex check ${kind}: cannot parse URL ${JSON.stringify(values.url)}`)
  const config = readHttpConfigFile(`narthex check ${kind}`, values.httpConfigFile)
  const client = createHttpClient(config, { userAgent: 'narthex-check', timeoutMs, bodyBytesMax: answerBytesMax })
  try {
    const { status, body } = await client.request({ url: `${base.replace(/\/$/, '')}/-/${kind}` })
    if (status !== 200) throw new UserError(`check failed: URL=${base}, status=${status}`)
    process.stderr.write(`  SUCCESS:  ${Buffer.from(body).toString('utf8')}\n`)
  } catch (cause) {
    if (cause instanceof UserError) throw cause
    throw new UserError((cause as Error).message, 1, { cause })
  } finally {
    await client.close()
  }
}
