import { DirectoryLockedError } from '@narthex/service/directory-lock'
import { UserError } from '@narthex/service/user-error'

/** What opening a storage threw, as its user's error if a directory is in use, missing or forbidden; `flag` names it. Other errors are given back. */
export function toStorageError(cause: unknown, command: string, flag: string, path: string): unknown {
  const isOfDisk = cause instanceof DirectoryLockedError || (cause instanceof Error && 'syscall' in cause)
  return isOfDisk ? new UserError(`${command}: cannot use --${flag}=${path}: ${cause.message}`, 1, { cause }) : cause
}
