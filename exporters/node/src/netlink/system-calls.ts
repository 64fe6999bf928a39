import { loadForeignLibrary } from '../foreign-library.ts'

/** Calls of the C library that Node.js has no function for. All of them return -1 on failure, and `errno` tells why. */
export interface SystemCalls {
  socket(domain: number, type: number, protocol: number): number
  send(descriptor: number, bytes: Buffer, length: number, flags: number): number
  recv(descriptor: number, bytes: Buffer, length: number, flags: number): number
  ioctl(descriptor: number, request: number, argument: Buffer): number
  close(descriptor: number): number
  /** perf_event_open(2) for all processes on one CPU; the file closes when this process runs another program. */
  openPerfEvent(attribute: Buffer, cpu: number): number
  /** Where a buffer's bytes are in memory, for structures that point to others; valid as long as the buffer is held. */
  addressOf(bytes: Buffer): bigint
  errno(): number
}

/** PERF_FLAG_FD_CLOEXEC. */
const closeOnExec = 8

let calls: SystemCalls | undefined

/** Throws, saying why, where foreign functions cannot be called, or where their structures have another layout. */
export function loadSystemCalls(): SystemCalls {
  if (process.platform !== 'linux' || !['x64', 'arm64'].includes(process.arch)) {
    throw new Error(`cannot make system calls: want Linux on x64 or arm64, got ${process.platform} ${process.arch}`)
  }
  calls ??= createSystemCalls()
  return calls
}

function createSystemCalls(): SystemCalls {
  const koffi = loadForeignLibrary()
  const library = koffi.load(null)
  const syscall = library.func('long syscall(long number, void *attribute, int process, int cpu, int group, unsigned long flags)')
  const perfEventOpen = process.arch === 'x64' ? 298 : 241
  // Gives its first argument back: the address.
  const memmove = library.func('uintptr_t memmove(void *to, void *from, size_t length)')
  return {
    socket: library.func('int socket(int domain, int type, int protocol)'),
    send: library.func('long send(int descriptor, void *bytes, size_t length, int flags)'),
    recv: library.func('long recv(int descriptor, void *bytes, size_t length, int flags)'),
    ioctl: library.func('int ioctl(int descriptor, unsigned long request, void *argument)'),
    close: library.func('int close(int descriptor)'),
    openPerfEvent: (attribute, cpu) => syscall(perfEventOpen, attribute, -1, cpu, -1, closeOnExec),
    addressOf: (bytes) => BigInt(memmove(bytes, bytes, 0)),
    errno: () => koffi.errno(),
  }
}
