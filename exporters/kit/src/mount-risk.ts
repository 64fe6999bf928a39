import type { Mount } from './mount-info.ts'

// File systems whose statfs(2) and path lookup answer from memory: no server, no other process, no device is asked.
const localTypes: ReadonlySet<string> = new Set(
  (
    'ext2 ext3 ext4 xfs btrfs bcachefs f2fs jfs nilfs2 reiserfs minix overlay aufs vfat msdos exfat ntfs3 hfs hfsplus udf ' +
    'iso9660 squashfs erofs cramfs romfs tmpfs ramfs rootfs devtmpfs devpts proc sysfs cgroup cgroup2 mqueue hugetlbfs bpf ' +
    'securityfs selinuxfs debugfs tracefs configfs pstore efivarfs nsfs binfmt_misc fusectl'
  ).split(' '),
)

/**
 * For each mount whether statfs(2) on it may hang: its own type is not known to be local, or it lies on or under a mount of such a type,
 * whose path lookup may hang. (A statfs on a local type takes 4 µs; asking a helper process costs 45 MB of memory and a round trip.)
 */
export function findRiskyMounts(mounts: readonly Mount[]): boolean[] {
  const roots = new Set(mounts.filter((mount) => !localTypes.has(mount.fsType)).map((mount) => mount.pathBytes))
  return mounts.map((mount) => roots.size > 0 && liesUnder(mount.pathBytes, roots))
}

function liesUnder(path: string, roots: ReadonlySet<string>): boolean {
  if (roots.has('/')) return true
  for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) if (roots.has(path.slice(0, end))) return true
  return false
}
