import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { ConfigError } from '@narthex/config/config-error'
import { parseWebConfig, type TlsServerConfig, type WebConfig } from '@narthex/config/web-config'
import { createTlsSettings } from '@narthex/http/server-tls'
import { parseFlags } from '@narthex/service/flags'
import { PrintAndExit } from '@narthex/service/user-error'
import { versionText } from '../version.ts'
import { checkFlags } from './check-flags.ts'
import { failureCode, processOutput, type CheckOutput } from './check-output.ts'
import { requireFiles } from './check-rules.ts'

// narthex check web-config FILE ...: the verdicts, lines and exit codes of `promtool check web-config`.

export function runCheckWebConfig(argv: readonly string[]): void {
  const { arguments: files } = parseFlags(
    {
      name: 'narthex check web-config',
      help: 'Check if the web config files are valid or not.',
      version: versionText('narthex check web-config'),
      flags: checkFlags,
      arguments: [{ name: 'web-config-files', help: 'The web config files to check.', isRepeatable: true }],
    },
    argv,
  )
  requireFiles('narthex check web-config', files)
  throw new PrintAndExit('', checkWebConfigs(files, processOutput))
}

/** Checks each file, with the certificates that it names, prints the verdicts and gives the exit code. */
export function checkWebConfigs(paths: readonly string[], output: CheckOutput): number {
  let exitCode = 0
  for (const path of paths) {
    const problem = findProblem(path)
    output.err(problem === undefined ? `${path} SUCCESS` : `${path} FAILED: ${problem}`)
    if (problem !== undefined) exitCode = failureCode
  }
  return exitCode
}

function findProblem(path: string): string | undefined {
  let config: WebConfig
  try {
    config = parseWebConfig(readFileSync(path, 'utf8'), path)
  } catch (error) {
    if (!(error instanceof ConfigError)) return describeFileError(error)
    // The text of YAML's own errors has the line already.
    const place = error.kind === 'check' && error.line > 0 ? `\n    at ${error.path}:${error.line}:${error.column}` : ''
    return error.goText + place
  }
  return config.tls === undefined ? undefined : findTlsProblem(config.tls)
}

/** As a listener would read them: both files, whether they belong together, and who may come. */
function findTlsProblem(tls: TlsServerConfig): string | undefined {
  try {
    createSecureContext(createTlsSettings(tls).contextOptions())
    return undefined
  } catch (error) {
    const text = describeFileError(error)
    const { path } = error as NodeJS.ErrnoException
    return path !== undefined && path === tls.clientCaFile ? text : `failed to load X509KeyPair: ${text}`
  }
}

const fileErrors: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'permission denied',
  EISDIR: 'is a directory',
}

function describeFileError(error: unknown): string {
  const { code = '', path, message } = error as NodeJS.ErrnoException
  const words = fileErrors[code]
  if (words !== undefined && path !== undefined) return `open ${path}: ${words}`
  return code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' ? 'tls: private key does not match public key' : message
}
