import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { flagsWithoutEffect } from './flags-without-effect.ts'
import { defaultDisabledKinds, metricKinds } from './metric-kinds.ts'

const kinds = metricKinds.join(',')

const text = (name: string, preset: string, help: string): FlagSpec => ({ name, type: 'string', default: preset, help })
const toggle = (name: string, preset: boolean, help: string): FlagSpec => ({ name, type: 'boolean', default: preset, help })

/**
 * The container exporter's own flags with cAdvisor's names and defaults, and the few that cAdvisor does not have (`kubelet_endpoint`, `crio`,
 * `metric_timestamps`). Those of the listener and the logger belong to the command.
 */
export const containerExporterFlags: readonly FlagSpec[] = [
  text('disable_metrics', defaultDisabledKinds, `Groups of metrics to leave out, of ${kinds}.`),
  text('enable_metrics', '', `Groups of metrics to show; if set, disable_metrics does not count. Of ${kinds}.`),
  toggle('docker_only', false, 'Show only containers, and the root.'),
  text('raw_cgroup_prefix_whitelist', '', 'Prefixes of paths of other cgroups to show, even with docker_only.'),
  toggle('disable_root_cgroup_stats', false, 'Leave out the figures of the root.'),
  toggle('store_container_labels', true, 'Turn labels of containers into labels of metrics.'),
  text('whitelisted_container_labels', '', 'Labels of containers that are shown when store_container_labels is false.'),
  text('env_metadata_whitelist', '', 'Prefixes of environment variables that become labels (Docker, Podman, containerd).'),
  text('docker_env_metadata_whitelist', '', 'Old name of env_metadata_whitelist, for Docker.'),
  text('containerd_env_metadata_whitelist', '', 'Old name of env_metadata_whitelist, for containerd.'),
  text('docker', 'unix:///var/run/docker.sock', 'Endpoint of Docker; empty: Docker is not asked.'),
  toggle('docker-tls', false, 'Use TLS for Docker.'),
  text('docker-tls-cert', 'cert.pem', 'Client certificate for Docker.'),
  text('docker-tls-key', 'key.pem', 'Key of the client certificate for Docker.'),
  text('docker-tls-ca', 'ca.pem', 'CA of the certificate of Docker.'),
  text('podman', 'unix:///var/run/podman/podman.sock', 'Endpoint of Podman; empty: Podman is not asked.'),
  text('containerd', '/run/containerd/containerd.sock', 'Socket of containerd.'),
  text('containerd-namespace', 'k8s.io', 'Namespace of containerd.'),
  text('crio', '/var/run/crio/crio.sock', 'Socket of CRI-O.'),
  text(
    'kubelet_endpoint',
    '',
    'Kubelet of this node (https://HOST:10250), for the labels container, namespace and pod where no engine tells them.',
  ),
  toggle(
    'metric_timestamps',
    true,
    'Give samples the time at which they were read; without, the series of a container that stops end at once.',
  ),
  toggle('enable_load_reader', false, 'Read the states of all tasks, for container_tasks_state and the load averages.'),
  {
    name: 'referenced_reset_interval',
    type: 'number',
    default: 0,
    help: 'Scrapes after which referenced pages are counted anew, 0 for never.',
  },
  text('machine_id_file', '/etc/machine-id,/var/lib/dbus/machine-id', 'Files to look for the machine id in; the first counts.'),
  text('boot_id_file', '/proc/sys/kernel/random/boot_id', 'Files to look for the boot id in; the first counts.'),
  {
    name: 'update_machine_info_interval',
    type: 'duration',
    default: '5m',
    help: 'Interval between readings of what a machine is made of.',
  },
  text('prometheus_endpoint', '/metrics', 'Path under which to expose metrics.'),
  text('url_base_prefix', '', 'Prefix of all paths.'),
  ...flagsWithoutEffect,
]
