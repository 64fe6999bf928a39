/** Path under which the built-in rules appear in `/api/v1/rules`. */
export const builtinRulesPath = 'built-in rules'

/** Rule file of `narthex up`: an alert that always fires, and what is worth knowing about any machine. */
export const builtinRules = `groups:
  - name: narthex
    rules:
      - alert: Watchdog
        expr: vector(1)
        labels:
          severity: none
        annotations:
          summary: Alerting works from end to end.
          description: This alert always fires. If it is missing somewhere, the way there is broken.
      - alert: TargetDown
        expr: up == 0
        for: 2m
        labels:
          severity: warning
        annotations:
          summary: '{{ $labels.job }} on {{ $labels.instance }} cannot be scraped.'
          description: The scrape of {{ $labels.instance }} (job {{ $labels.job }}) has failed for two minutes. The targets page shows why.
  - name: node
    rules:
      - record: instance:node_cpu_utilisation:ratio_rate5m
        expr: 1 - avg by (job, instance) (rate(node_cpu_seconds_total{mode="idle"}[5m]))
      - record: instance:node_memory_utilisation:ratio
        expr: 1 - node_memory_MemAvailable_bytes / node_memory_MemTotal_bytes
      - alert: NodeFilesystemAlmostFull
        expr: |
          node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs|squashfs|overlay"} / node_filesystem_size_bytes < 0.05
          and node_filesystem_readonly == 0
        for: 15m
        labels:
          severity: warning
        annotations:
          summary: '{{ $labels.mountpoint }} on {{ $labels.instance }} has {{ $value | humanizePercentage }} left.'
          description: The file system {{ $labels.device }} at {{ $labels.mountpoint }} is almost full.
      - alert: NodeFilesystemFillingUp
        expr: |
          predict_linear(node_filesystem_avail_bytes{fstype!~"tmpfs|ramfs|squashfs|overlay"}[6h], 24 * 3600) < 0
          and node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.4
          and node_filesystem_readonly == 0
        for: 1h
        labels:
          severity: warning
        annotations:
          summary: '{{ $labels.mountpoint }} on {{ $labels.instance }} will be full within a day.'
          description: At the pace of the last six hours {{ $labels.device }} at {{ $labels.mountpoint }} runs out of space within 24 hours.
      - alert: NodeFilesystemAlmostOutOfInodes
        expr: |
          node_filesystem_files_free{fstype!~"tmpfs|ramfs|squashfs|overlay"} / (node_filesystem_files > 0) < 0.05
          and node_filesystem_readonly == 0
        for: 15m
        labels:
          severity: warning
        annotations:
          summary: '{{ $labels.mountpoint }} on {{ $labels.instance }} has {{ $value | humanizePercentage }} of its inodes left.'
      - alert: NodeMemoryAlmostFull
        expr: instance:node_memory_utilisation:ratio > 0.95
        for: 15m
        labels:
          severity: warning
        annotations:
          summary: '{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its memory.'
      - alert: NodeCPUBusy
        expr: instance:node_cpu_utilisation:ratio_rate5m > 0.95
        for: 30m
        labels:
          severity: info
        annotations:
          summary: '{{ $labels.instance }} has used {{ $value | humanizePercentage }} of its processors for half an hour.'
      - alert: NodeRAIDDegraded
        expr: node_md_disks_required - ignoring (state) node_md_disks{state="active"} > 0
        for: 15m
        labels:
          severity: critical
        annotations:
          summary: RAID array {{ $labels.device }} of {{ $labels.instance }} is degraded.
`
