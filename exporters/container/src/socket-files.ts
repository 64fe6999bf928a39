import type { ContainerEnvironment } from './environment.ts'
import type { AdvancedTcp } from './rare-stats.ts'

const stateColumn = 3
const stateCount = 11

/** Sockets by state, in the order of the kernel's numbers from 1 (`/proc/PID/net/tcp`). */
export function readTcpStates({ files, scanner }: ContainerEnvironment, path: string): Float64Array | undefined {
  const bytes = files.readIfThere(path)
  if (bytes === undefined) return undefined
  const counts = new Float64Array(stateCount)
  scanner.load(bytes)
  scanner.nextLine()
  while (scanner.nextLine()) {
    for (let column = 0; column <= stateColumn; column++) scanner.nextField()
    const state = Number.parseInt(scanner.text(), 16)
    if (state >= 1 && state <= stateCount) counts[state - 1]!++
  }
  return counts
}

/** Sockets, drops, bytes in the receive queues and in the send queues (`/proc/PID/net/udp`). */
export function readUdpFigures({ files, scanner }: ContainerEnvironment, path: string): Float64Array | undefined {
  const bytes = files.readIfThere(path)
  if (bytes === undefined) return undefined
  const figures = new Float64Array(4)
  scanner.load(bytes)
  scanner.nextLine()
  while (scanner.nextLine()) {
    figures[0]!++
    const fields = scanner.text(scanner.lineStart, scanner.lineEnd).trim().split(/\s+/)
    const [send, receive] = (fields[4] ?? '').split(':').map((text) => Number.parseInt(text, 16))
    const drops = Number.parseInt(fields[12] ?? '', 10)
    if (Number.isNaN(drops) || receive === undefined || send === undefined) continue
    figures[1]! += drops
    figures[2]! += receive
    figures[3]! += send
  }
  return figures
}

// Fields of Tcp and TcpExt in the order in which cAdvisor shows them; what a kernel lacks is 0 as there.
const advancedFields = (
  'RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs ' +
  'OutRsts InCsumErrors EmbryonicRsts SyncookiesSent SyncookiesRecv SyncookiesFailed PruneCalled RcvPruned OfoPruned OutOfWindowIcmps ' +
  'LockDroppedIcmps TW TWRecycled TWKilled TCPTimeWaitOverflow TCPTimeouts TCPSpuriousRTOs TCPLossProbes TCPLossProbeRecovery ' +
  'TCPRenoRecoveryFail TCPSackRecoveryFail TCPRenoFailures TCPSackFailures TCPLossFailures DelayedACKs DelayedACKLocked DelayedACKLost ' +
  'ListenOverflows ListenDrops TCPHPHits TCPPureAcks TCPHPAcks TCPRenoRecovery TCPSackRecovery TCPSACKReneging TCPFACKReorder ' +
  'TCPSACKReorder TCPRenoReorder TCPTSReorder TCPFullUndo TCPPartialUndo TCPDSACKUndo TCPLossUndo TCPFastRetrans TCPSlowStartRetrans ' +
  'TCPLostRetransmit TCPRetransFail TCPRcvCollapsed TCPDSACKOldSent TCPDSACKOfoSent TCPDSACKRecv TCPDSACKOfoRecv TCPAbortOnData ' +
  'TCPAbortOnClose TCPAbortOnMemory TCPAbortOnTimeout TCPAbortOnLinger TCPAbortFailed TCPMemoryPressures TCPMemoryPressuresChrono ' +
  'TCPSACKDiscard TCPDSACKIgnoredOld TCPDSACKIgnoredNoUndo TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPSackShifted TCPSackMerged ' +
  'TCPSackShiftFallback TCPBacklogDrop PFMemallocDrop TCPMinTTLDrop TCPDeferAcceptDrop IPReversePathFilter TCPReqQFullDoCookies ' +
  'TCPReqQFullDrop TCPFastOpenActive TCPFastOpenActiveFail TCPFastOpenPassive TCPFastOpenPassiveFail TCPFastOpenListenOverflow ' +
  'TCPFastOpenCookieReqd TCPSynRetrans TCPOrigDataSent PAWSActive PAWSEstab'
).split(' ')

/** Counters of TCP from `net/netstat` and `net/snmp`; undefined if neither can be read. */
export function readAdvancedTcp({ files }: ContainerEnvironment, directory: string): AdvancedTcp | undefined {
  const found = new Map<string, number>()
  let hasFile = false
  for (const name of ['netstat', 'snmp']) {
    const bytes = files.readIfThere(`${directory}/net/${name}`)
    if (bytes === undefined) continue
    hasFile = true
    const lines = bytes.toString('latin1').split('\n')
    for (let index = 0; index + 1 < lines.length; index += 2) {
      const [protocol, ...names] = lines[index]!.split(' ')
      const [, ...values] = lines[index + 1]!.split(' ')
      if (protocol !== 'Tcp:' && protocol !== 'TcpExt:') continue
      names.forEach((field, column) => found.set(field, Number(values[column])))
    }
  }
  if (!hasFile) return undefined
  return new Map(advancedFields.map((field) => [field.toLowerCase(), found.get(field) ?? 0]))
}
