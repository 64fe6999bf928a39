import { flag } from '@narthex/service/flag-spec'

// How an exporter listens, with the names that all of the family have.

export const systemdSocketFlag = flag.boolean('web.systemd-socket', 'Use systemd socket activation listeners instead of port listeners.')

export const webConfigFileFlag = flag.text('web.config.file', 'Path to configuration file that can enable TLS or authentication.', '')

/** `address` is where it listens if nothing is said. */
export function listenAddressFlag(address: string) {
  return flag.list('web.listen-address', 'Addresses on which to expose metrics and web interface.', { default: [address] })
}
