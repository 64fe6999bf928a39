import { describe, expect, test } from 'vitest'
import { parseContainerId, parsePodUid } from './container-id.ts'

const id = '0123456789abcdef'.repeat(4)

describe('the path of a cgroup tells whose container it is', () => {
  test.each([
    [`/docker/${id}`, 'docker', false],
    [`/system.slice/docker-${id}.scope`, 'docker', false],
    [`/kubepods/burstable/pod1/docker-${id}.scope`, 'docker', true],
    [`/machine.slice/libpod-${id}.scope`, 'podman', false],
    [`/libpod_parent/libpod-${id}`, 'podman', false],
    [`/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-${id}.scope`, 'podman', false],
    [`/kubepods.slice/kubepods-burstable.slice/x.slice/cri-containerd-${id}.scope`, 'containerd', true],
    [`/system.slice:cri-containerd:${id}`, 'containerd', false],
    [`/kubepods.slice/x.slice/crio-${id}.scope`, 'crio', true],
    [`/kubepods/besteffort/pod1/crio-${id}`, 'crio', true],
    [`/system.slice/nerdctl-${id}.scope`, 'containerd', false],
    [`/kubepods/burstable/pod1/${id}`, undefined, true],
    [`/k8s.io/${id}`, undefined, false],
    [`/actions_job/${id}`, undefined, false],
  ])('%s', (path, engine, isInPod) => {
    expect(parseContainerId(path)).toEqual({ id, engine, isInPod })
  })

  test.each([
    '/',
    '/docker',
    `/docker/${id}/init.scope`,
    `/docker/${id.slice(1)}`,
    `/docker/${id}0`,
    `/docker/${id.toUpperCase()}`,
    `/machine.slice/libpod-conmon-${id}.scope`,
    `/kubepods/pod1/crio-conmon-${id}`,
    `/system.slice/var-lib-docker-containers-${id}-mounts-shm.mount`,
  ])('%s is no container', (path) => {
    expect(parseContainerId(path)).toBeUndefined()
  })
})

test.each([
  ['/kubepods/burstable/pod0f3b1c7a-1111-4222-8333-0123456789ab', '0f3b1c7a-1111-4222-8333-0123456789ab'],
  [`/kubepods/burstable/pod0f3b1c7a-1111-4222-8333-0123456789ab/${id}`, '0f3b1c7a-1111-4222-8333-0123456789ab'],
  [
    '/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0f3b1c7a_1111_4222_8333_0123456789ab.slice',
    '0f3b1c7a-1111-4222-8333-0123456789ab',
  ],
  [`/kubepods.slice/kubepods-pod0f3b1c7a_1111_4222_8333_0123456789ab.slice/crio-${id}.scope`, '0f3b1c7a-1111-4222-8333-0123456789ab'],
  ['/kubepods/burstable/pod0123456789abcdef0123456789abcdef', '0123456789abcdef0123456789abcdef'],
  ['/kubelet/kubepods/besteffort/pod0f3b1c7a-1111-4222-8333-0123456789ab', '0f3b1c7a-1111-4222-8333-0123456789ab'],
  ['/kubepods/burstable', undefined],
  ['/docker/pod0f3b1c7a-1111-4222-8333-0123456789ab', undefined],
])('the pod of %s is %s', (path, uid) => {
  expect(parsePodUid(path)).toBe(uid)
})
