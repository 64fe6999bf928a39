import type { HttpClientConfig } from '@narthex/config/http-client-config'
import type { Secret } from '@narthex/config/secret'
import { createHttpClient, type HttpClient } from './client.ts'
import { ExpiringCache, type Expiring } from './expiring-cache.ts'
import { fetchContainerCredentials, InstanceMetadata } from './sigv4-metadata.ts'
import { AwsProfiles, makeCredentials, readProfileKeys, type AwsProfile, type Environment } from './sigv4-profiles.ts'
import { Sts } from './sigv4-sts.ts'
import type { AwsCredentials } from './sigv4.ts'
import { WatchedFile } from './watched-file.ts'

/** What a configuration says of an AWS account; what it does not say comes from AWS' usual places. */
export interface AwsAccess {
  readonly region?: string
  readonly accessKey?: string
  readonly secretKey?: Secret
  readonly profile?: string
  readonly roleArn?: string
  readonly externalId?: string
  readonly useFipsStsEndpoint?: boolean
}

export interface AwsAccountOptions {
  /** Transport settings of requests to AWS; the metadata services of container and machine are asked directly. */
  readonly http?: HttpClientConfig
  readonly userAgent?: string
  readonly env?: Environment
  readonly now?: () => number
}

/** Keys of files and of the environment are looked at anew this often. */
const staticFreshMs = 60_000
/** How many profiles may lean on each other. */
const sourceProfilesMax = 5

/**
 * One AWS account: its region and its credentials. The keys come from the first of: the configuration, its profile, the environment
 * (AWS_ACCESS_KEY_ID), a web identity (AWS_WEB_IDENTITY_TOKEN_FILE), the profile of AWS_PROFILE or `default`, the container, the machine.
 * `role_arn` is then assumed with them. Temporary ones are kept until shortly before they end.
 */
export class AwsAccount {
  readonly #access: AwsAccess
  readonly #env: Environment
  readonly #now: () => number
  readonly #client: HttpClient
  readonly #direct: HttpClient
  readonly #profiles: AwsProfiles
  readonly #cache: ExpiringCache<AwsCredentials>
  #region: string | undefined

  constructor(access: AwsAccess, options: AwsAccountOptions = {}) {
    this.#access = access
    this.#env = options.env ?? process.env
    this.#now = options.now ?? Date.now
    const defaults = options.userAgent === undefined ? {} : { userAgent: options.userAgent }
    this.#client = createHttpClient(options.http, defaults)
    this.#direct = createHttpClient(undefined, defaults)
    this.#profiles = new AwsProfiles(this.#env, this.#now)
    this.#cache = new ExpiringCache(() => this.#fetch(), { now: this.#now })
  }

  /** Rejects with one line that says where credentials were looked for. */
  credentials(): Promise<AwsCredentials> {
    return this.#cache.get()
  }

  /** AWS refused the credentials: they are fetched anew. */
  forget(): void {
    this.#cache.forget()
  }

  /** The region of the configuration, the environment or the profile; undefined if none names one. */
  async region(): Promise<string | undefined> {
    const { region } = this.#access
    if (region !== undefined && region !== '') return region
    const ofEnvironment = this.#env['AWS_REGION'] ?? this.#env['AWS_DEFAULT_REGION']
    if (ofEnvironment !== undefined && ofEnvironment !== '') return ofEnvironment
    return (await this.#profiles.find(this.#profileName()))?.['region']
  }

  /** As `region`, and the one the machine stands in. */
  async regionOrOwn(): Promise<string> {
    this.#region ??= (await this.region()) ?? (await new InstanceMetadata(this.#direct, this.#env).fetchRegion())
    return this.#region
  }

  async close(): Promise<void> {
    await Promise.all([this.#client.close(), this.#direct.close()])
  }

  async #fetch(): Promise<Expiring<AwsCredentials>> {
    const own = await this.#fetchOwn()
    const { roleArn, externalId } = this.#access
    return roleArn === undefined || roleArn === '' ? own : (await this.#sts()).assumeRole(roleArn, own.value, externalId)
  }

  async #fetchOwn(): Promise<Expiring<AwsCredentials>> {
    const { accessKey, secretKey, profile } = this.#access
    const given = makeCredentials(accessKey, secretKey?.reveal())
    if (given !== undefined) return { value: given, expiresMs: Infinity }
    if (profile !== undefined && profile !== '') return this.#fetchByProfile(profile, 0)
    const env = this.#env
    const ofEnvironment = makeCredentials(env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], env['AWS_SESSION_TOKEN'])
    if (ofEnvironment !== undefined) return this.#keepShortly(ofEnvironment)
    const tokenFile = env['AWS_WEB_IDENTITY_TOKEN_FILE']
    const roleArn = env['AWS_ROLE_ARN']
    if (tokenFile !== undefined && roleArn !== undefined) return this.#fetchByToken(roleArn, tokenFile, env['AWS_ROLE_SESSION_NAME'])
    const name = this.#profileName()
    const isThere = env['AWS_PROFILE'] !== undefined || (await this.#profiles.find(name)) !== undefined
    return isThere ? this.#fetchByProfile(name, 0) : this.#fetchFromHost()
  }

  async #fetchByProfile(name: string, depth: number): Promise<Expiring<AwsCredentials>> {
    const profile = await this.#profiles.find(name)
    if (profile === undefined) throw new Error(`failed to get shared config profile, ${name}`)
    const { role_arn: roleArn, web_identity_token_file: tokenFile } = profile
    if (roleArn !== undefined && tokenFile !== undefined) return this.#fetchByToken(roleArn, tokenFile, profile['role_session_name'])
    const source = await this.#fetchSource(name, profile, depth)
    return roleArn === undefined ? source : (await this.#sts(profile['region'])).assumeRole(roleArn, source.value, profile['external_id'])
  }

  #fetchSource(name: string, profile: AwsProfile, depth: number): Promise<Expiring<AwsCredentials>> {
    const keys = readProfileKeys(profile)
    const source = profile['source_profile']
    // A profile may name itself as the source: then its own keys are meant.
    if (source !== undefined && source !== name) {
      if (depth >= sourceProfilesMax) throw new Error(`cannot use AWS profile ${name}: more than ${sourceProfilesMax} source profiles`)
      return this.#fetchByProfile(source, depth + 1)
    }
    if (keys !== undefined) return Promise.resolve(this.#keepShortly(keys))
    for (const key of ['credential_process', 'sso_session', 'sso_start_url', 'login_session']) {
      if (profile[key] !== undefined) throw new Error(`cannot use AWS profile ${name}: ${key} is not built yet`)
    }
    const from = profile['credential_source']
    if (from !== 'Environment') return this.#fetchFromHost(from)
    const env = this.#env
    const ofEnvironment = makeCredentials(env['AWS_ACCESS_KEY_ID'], env['AWS_SECRET_ACCESS_KEY'], env['AWS_SESSION_TOKEN'])
    if (ofEnvironment === undefined) throw new Error(`cannot use AWS profile ${name}: want keys in the environment, got none`)
    return Promise.resolve(this.#keepShortly(ofEnvironment))
  }

  async #fetchFromHost(only?: string): Promise<Expiring<AwsCredentials>> {
    const ofContainer = only === 'Ec2InstanceMetadata' ? undefined : await fetchContainerCredentials(this.#direct, this.#env)
    if (ofContainer !== undefined) return ofContainer
    if (only === 'EcsContainer') throw new Error('cannot find AWS credentials: want those of a container, got none')
    try {
      return await new InstanceMetadata(this.#direct, this.#env).fetchCredentials()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new Error(`cannot find AWS credentials in configuration, environment, shared files, container or machine: ${reason}`, {
        cause: error,
      })
    }
  }

  async #fetchByToken(roleArn: string, tokenFile: string, sessionName: string | undefined): Promise<Expiring<AwsCredentials>> {
    const token = await new WatchedFile(tokenFile).readText()
    return (await this.#sts()).assumeRoleWithWebIdentity(roleArn, token, sessionName)
  }

  async #sts(regionOfProfile?: string): Promise<Sts> {
    const region = (await this.region()) ?? regionOfProfile ?? 'us-east-1'
    const useFipsEndpoint = this.#access.useFipsStsEndpoint === true || this.#env['AWS_USE_FIPS_ENDPOINT'] === 'true'
    return new Sts(this.#client, { region, useFipsEndpoint, env: this.#env, now: this.#now })
  }

  #profileName(): string {
    return this.#access.profile || this.#env['AWS_PROFILE'] || 'default'
  }

  #keepShortly(value: AwsCredentials): Expiring<AwsCredentials> {
    return { value, expiresMs: this.#now() + staticFreshMs }
  }
}
