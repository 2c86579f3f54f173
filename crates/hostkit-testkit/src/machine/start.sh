# Puts itself into the cgroups of a machine, mounts its disk where only it sees it, and becomes the machine's supervisor.
# start OVERLAY-OPTIONS ROOT CGROUP… -- PROGRAM ARGUMENT…
overlay="$1" root="$2"
shift 2
while [ "$1" != -- ]; do
    echo $$ > "$1/cgroup.procs"
    shift
done
shift
mount -t overlay overlay -o "$overlay" "$root"
exec "$@"
