# Puts itself into the cgroups of a machine, mounts what only the machine's supervisor sees, and becomes it. The supervisor
# is the first process of a namespace that dies with this process: no process of a machine outlives it.
# start OVERLAY-OPTIONS ROOT NETWORK NETWORK-MOUNT CGROUP… -- PROGRAM ARGUMENT…
overlay="$1" root="$2" network="$3" network_mount="$4"
shift 4
while [ "$1" != -- ]; do
    echo $$ > "$1/cgroup.procs"
    shift
done
shift
mount -t overlay overlay -o "$overlay" "$root"
mount --no-canonicalize --bind "$network" "$network_mount"
# The supervisor keeps its notes there, and would leave them.
mount -t tmpfs tmpfs /run
exec unshare --pid --fork --kill-child --mount-proc -- "$@"
