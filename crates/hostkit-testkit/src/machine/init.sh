#!/bin/sh
# The first process of a machine. Cgroup controllers of version 1 come read-only into a container; systemd looks once, at
# its start, and would ignore MemoryMax, CPUQuota and TasksMax in silence.
for controller in memory cpu cpuacct pids blkio cpuset freezer devices; do
    [ -d "/sys/fs/cgroup/$controller" ] || continue
    mount -o remount,bind,rw "/sys/fs/cgroup/$controller"
done 2>/dev/null
exec /lib/systemd/systemd
