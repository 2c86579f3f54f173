"""The front doors that are compared, each in front of the same upstream, each on the same one core."""

import os
import resource
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import configurations
import machine
from installation import ROOT

UPSTREAM = 19400
SOCKETS = 19401
DOOR = 19410
DOOR_TLS = 19411

EXAMPLES = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "dist/examples"
LOAD = EXAMPLES / "bench_load"


@dataclass
class Running:
    """Programs of one run, pinned to a core each, ended with it."""

    folder: Path
    processes: list[subprocess.Popen] = field(default_factory=list)

    def __enter__(self) -> "Running":
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, core: int, arguments: list[str], ports: list[int], out: Path | None = None) -> subprocess.Popen:
        for port in ports:
            if not machine.is_free(port):
                raise RuntimeError(f"port {port} is taken: something of an earlier run is still there")
        home = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        with open(out or os.devnull, "ab") as output, open(self.folder / "errors", "wb") as errors:
            process = subprocess.Popen(
                ["taskset", "-c", str(core), *arguments],
                env={**machine.environment(), **home},
                stdout=output,
                stderr=errors,
            )
        self.processes.append(process)
        patience = time.monotonic() + 60
        while any(machine.is_free(port) for port in ports):
            if process.poll() is not None or time.monotonic() > patience:
                errors = (self.folder / "errors").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"`{arguments[0]}` does not listen on {ports}:\n{errors}")
            time.sleep(0.02)
        return process


def upstream(running: Running, core: int) -> None:
    """Answers of 1 KB, 10 KB, 100 KB and 10 MB, and a WebSocket echo on a port of its own."""
    www = running.folder / "www"
    (www / "files").mkdir(parents=True, exist_ok=True)
    (www / "100k").write_bytes(os.urandom(100 * 1024))
    (www / "10m").write_bytes(os.urandom(10 * 1024 * 1024))
    # Text as applications send it: names that come again and again, values that do not.
    rows = (f'<li class="row"><a href="/items/{n * 7919 % 100003}">Item {n * 104729 % 99991}</a></li>' for n in range(999))
    text = "\n".join(rows)[: 10 * 1024]
    for name in ("text", "cached", "files/10k", "files/10k.html"):
        (www / name).write_text(text)
    values = {"upstream": UPSTREAM, "www": www, "body": "x" * 1024}
    running.start(core, nginx(folder_of(running, "upstream"), configurations.UPSTREAM.format(**values)), [UPSTREAM])
    running.start(core, [str(LOAD), "echo", f"127.0.0.1:{SOCKETS}"], [SOCKETS])


def start_nginx(running: Running, core: int, routes: int) -> subprocess.Popen:
    folder = folder_of(running, "nginx")
    more = "\n".join(configurations.NGINX_ROUTE.format(host=host, door=DOOR) for host in hosts(routes))
    conf = configurations.NGINX_DOOR.format(folder=folder, routes=more, **values_of(running))
    return running.start(core, nginx(folder, conf), [DOOR, DOOR_TLS])


def start_haproxy(running: Running, core: int, routes: int) -> subprocess.Popen:
    folder = folder_of(running, "haproxy")
    (folder / "hosts.map").write_text("".join(f"{host} app\n" for host in hosts(routes)))
    conf = folder / "haproxy.cfg"
    conf.write_text(configurations.HAPROXY.format(map=folder / "hosts.map", **values_of(running)))
    return running.start(core, ["haproxy", "-db", "-f", str(conf)], [DOOR, DOOR_TLS], folder / "access.log")


def start_caddy(running: Running, core: int, routes: int) -> subprocess.Popen:
    folder = folder_of(running, "caddy")
    of_one = {"door": DOOR, "folder": folder}
    more = "\n".join(configurations.CADDY_ROUTE.format(host=host, **of_one) for host in hosts(routes))
    conf = folder / "Caddyfile"
    conf.write_text(configurations.CADDY.format(folder=folder, routes=more, **values_of(running)))
    return running.start(core, ["caddy", "run", "--config", str(conf)], [DOOR, DOOR_TLS])


def start_hostkit(running: Running, core: int, routes: int) -> subprocess.Popen:
    """The front door alone."""
    arguments = [str(EXAMPLES / "bench_proxy"), "--threads", "1", "--routes", str(routes)]
    arguments += ["--listen", f"127.0.0.1:{DOOR}", "--tls", f"127.0.0.1:{DOOR_TLS}", "--files", str(running.folder / "www")]
    arguments += ["--upstream", f"127.0.0.1:{UPSTREAM}", "--sockets", f"127.0.0.1:{SOCKETS}"]
    return running.start(core, [*arguments, "--data", str(folder_of(running, "hostkit"))], [DOOR, DOOR_TLS])


STARTS = {"nginx": start_nginx, "HAProxy": start_haproxy, "Caddy": start_caddy, "HostKit": start_hostkit}


def hosts(routes: int) -> list[str]:
    return [f"r{number}.localhost" for number in range(routes)]


def values_of(running: Running) -> dict[str, object]:
    """What every configuration names. The certificate is of the kind that HostKit makes: one, with a key on P-256."""
    certificate, key, pem = (running.folder / name for name in ("certificate.pem", "key.pem", "both.pem"))
    if not pem.exists():
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
        pem.write_text(certificate.read_text() + key.read_text())
    ports = {"upstream": UPSTREAM, "sockets": SOCKETS, "door": DOOR, "door_tls": DOOR_TLS}
    return {**ports, "www": running.folder / "www", "certificate": certificate, "key": key, "pem": pem}


def folder_of(running: Running, name: str) -> Path:
    folder = running.folder / name
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    return folder


def nginx(folder: Path, rest: str) -> list[str]:
    file = folder / "nginx.conf"
    conf = configurations.NGINX.format(folder=folder, rest=rest, files=files_limit())
    # As root its workers would change to another user, who may not read the temporary folder.
    file.write_text(("user root;\n" if os.geteuid() == 0 else "") + conf)
    return ["nginx", "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(file)]


def files_limit() -> int:
    """As many open files as may be had: an idle connection is one, for the generator and for the door."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
