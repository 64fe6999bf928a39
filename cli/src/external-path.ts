import { UserError } from '@narthex/service/user-error'

/** The path of `--web.external-url`, which the routes begin with; empty for none. Throws UserError. */
export function externalPath(externalUrl: string): string {
  if (externalUrl === '') return ''
  try {
    return new URL(externalUrl).pathname.replace(/\/$/, '')
  } catch (cause) {
    throw new UserError(`parse external URL ${JSON.stringify(externalUrl)}: want an absolute URL`, 2, { cause })
  }
}
