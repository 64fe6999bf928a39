import { UserError } from '@narthex/service/user-error'

/** Sockets that systemd hands over come from here on (sd_listen_fds(3)). */
const firstDescriptor = 3
const socketsMax = 64

/** Listen addresses for the sockets that systemd has opened for this process. Throws a user's error if there are none. */
export function findSystemdSockets(environment: NodeJS.ProcessEnv = process.env, processId = process.pid): string[] {
  const count = Number(environment['LISTEN_FDS'] ?? 0)
  if (Number(environment['LISTEN_PID']) !== processId || !(count >= 1 && count <= socketsMax)) {
    const got = `LISTEN_PID=${environment['LISTEN_PID'] ?? ''} and LISTEN_FDS=${environment['LISTEN_FDS'] ?? ''}`
    throw new UserError(`cannot use --web.systemd-socket: want 1 to ${socketsMax} sockets for process ${processId}, got ${got}`, 1)
  }
  return Array.from({ length: count }, (_, index) => `fd:${firstDescriptor + index}`)
}
