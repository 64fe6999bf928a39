import type { EthtoolSettings } from './ethtool-device.ts'

/** One speed that a network device may use. */
export interface LinkMode {
  readonly bit: number
  readonly bytesPerSecond: number
  readonly duplex: 'full' | 'half'
  /** `1000baseT` */
  readonly mode: string
}

const megabit = 1e6 / 8
const mode = (bit: number, megabits: number, medium: string, duplex: LinkMode['duplex'] = 'full'): LinkMode => {
  return { bit, bytesPerSecond: megabits * megabit, duplex, mode: `${megabits}base${medium}` }
}

// The modes of the first 32 bits (<linux/ethtool.h>): the old request that the original makes has no more.
export const linkModes: readonly LinkMode[] = [
  mode(0, 10, 'T', 'half'),
  mode(1, 10, 'T'),
  mode(2, 100, 'T', 'half'),
  mode(3, 100, 'T'),
  mode(4, 1000, 'T', 'half'),
  mode(5, 1000, 'T'),
  mode(12, 10_000, 'T'),
  mode(17, 1000, 'KX'),
  mode(18, 10_000, 'KX4'),
  mode(19, 10_000, 'KR'),
  mode(20, 10_000, 'R_FEC'),
  mode(21, 20_000, 'MLD2'),
  mode(22, 20_000, 'KR2'),
  mode(23, 40_000, 'KR4'),
  mode(24, 40_000, 'CR4'),
  mode(25, 40_000, 'SR4'),
  mode(26, 40_000, 'LR4'),
  mode(27, 56_000, 'KR4'),
  mode(28, 56_000, 'CR4'),
  mode(29, 56_000, 'SR4'),
  mode(30, 56_000, 'LR4'),
  mode(31, 25_000, 'CR'),
]

export const ports: readonly (readonly [bit: number, type: string])[] = [
  [8, 'AUI'],
  [11, 'BNC'],
  [16, 'Backplane'],
  [10, 'FIBRE'],
  [9, 'MII'],
  [7, 'TP'],
]

export const capabilities: readonly (readonly [bit: number, name: string, what: string])[] = [
  [14, 'asymmetricpause', 'asymmetric pause frames'],
  [6, 'autonegotiate', 'autonegotiation'],
  [13, 'pause', 'pause frames'],
]

/** What the device can do, and what it offers to its peer. */
export const aspects: readonly (readonly [key: keyof EthtoolSettings & ('supported' | 'advertised'), verb: string])[] = [
  ['supported', 'supports'],
  ['advertised', 'offers'],
]
