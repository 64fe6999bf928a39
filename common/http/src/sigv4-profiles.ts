import { Secret } from '@narthex/config/secret'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { AwsCredentials } from './sigv4.ts'
import { WatchedFile } from './watched-file.ts'

/** What the environment says; `process.env` outside of tests. */
export type Environment = Readonly<Record<string, string | undefined>>

/** One profile of AWS' shared files: keys in lower case. */
export type AwsProfile = Readonly<Record<string, string>>

/** Reads AWS' shared credentials and config files. A file that is not there counts as empty. */
export class AwsProfiles {
  readonly #credentials: WatchedFile
  readonly #config: WatchedFile

  constructor(env: Environment, now: () => number = Date.now) {
    const directory = join(env['HOME'] ?? env['USERPROFILE'] ?? homedir(), '.aws')
    this.#credentials = new WatchedFile(env['AWS_SHARED_CREDENTIALS_FILE'] ?? join(directory, 'credentials'), now)
    this.#config = new WatchedFile(env['AWS_CONFIG_FILE'] ?? join(directory, 'config'), now)
  }

  /** Both files' keys of a profile, those of the credentials file first; undefined if neither has it. */
  async find(name: string): Promise<AwsProfile | undefined> {
    const [credentials, config] = await Promise.all([readSections(this.#credentials), readSections(this.#config)])
    const ofConfig = config.get(`profile ${name}`) ?? config.get(name)
    const ofCredentials = credentials.get(name)
    return ofConfig === undefined && ofCredentials === undefined ? undefined : { ...ofConfig, ...ofCredentials }
  }
}

async function readSections(file: WatchedFile): Promise<Map<string, AwsProfile>> {
  let text: string
  try {
    text = (await file.read()).toString('utf8')
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')) return new Map()
    throw error
  }
  return parseProfiles(text)
}

/** Sections of an AWS file: `[name]`, `key = value`, comments with `#` and `;`. Nested keys (indented under an empty value) are left out. */
export function parseProfiles(text: string): Map<string, AwsProfile> {
  const sections = new Map<string, Record<string, string>>()
  let section: Record<string, string> | undefined
  for (const line of text.split(/\r?\n/)) {
    if (/^\s*(?:[#;]|$)/.test(line)) continue
    const header = /^\[\s*([^\]]*?)\s*\]/.exec(line)
    if (header !== null) {
      const name = header[1]!.replaceAll(/\s+/g, ' ')
      section = sections.get(name) ?? {}
      sections.set(name, section)
      continue
    }
    const pair = /^([^\s=][^=]*?)\s*=\s*(.*?)\s*(?:\s[#;].*)?$/.exec(line)
    if (pair !== null && section !== undefined) section[pair[1]!.toLowerCase()] = pair[2]!
  }
  return sections
}

/** The keys that stand in a profile itself. */
export function readProfileKeys(profile: AwsProfile): AwsCredentials | undefined {
  return makeCredentials(profile['aws_access_key_id'], profile['aws_secret_access_key'], profile['aws_session_token'])
}

/** Credentials of texts; undefined unless both keys are there. */
export function makeCredentials(
  accessKeyId: string | undefined,
  secretAccessKey: string | undefined,
  sessionToken?: string,
): AwsCredentials | undefined {
  if (accessKeyId === undefined || accessKeyId === '' || secretAccessKey === undefined || secretAccessKey === '') return undefined
  return {
    accessKeyId,
    secretAccessKey: new Secret(secretAccessKey),
    ...(sessionToken === undefined || sessionToken === '' ? {} : { sessionToken: new Secret(sessionToken) }),
  }
}
