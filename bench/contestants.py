"""The front doors that are compared, each in front of the same upstream, each on the same one core."""

import os
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import machine
from installation import ROOT

UPSTREAM = 19400
SOCKETS = 19401
DOOR = 19410
DOOR_SOCKETS = 19411

EXAMPLE = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "dist/examples/bench_proxy"

COMMON = """
daemon off;
worker_processes 1;
error_log {folder}/error.log;
pid {folder}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 75s;
"""

UPSTREAM_CONF = (
    COMMON
    + """
    access_log off; sendfile on;
    server {{
        listen 127.0.0.1:{upstream} backlog=4096;
        root {folder}/www;
        location = / {{ default_type text/plain; return 200 "{body}"; }}
    }}
}}
"""
)

# What a careful administrator writes: upstream keep-alive, buffers large enough to stay off the disk.
NGINX_CONF = (
    COMMON
    + """
    access_log {log};
    proxy_http_version 1.1; proxy_buffers 16 64k; proxy_buffer_size 64k; proxy_busy_buffers_size 128k;
    proxy_max_temp_file_size 0;
    proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Request-ID $request_id;
    upstream app {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000000; }}
    upstream sockets {{ server 127.0.0.1:{sockets}; }}
    server {{
        listen 127.0.0.1:{door} backlog=4096;
        location / {{ proxy_pass http://app; proxy_set_header Connection ""; }}
    }}
    server {{
        listen 127.0.0.1:{door_sockets};
        location / {{
            proxy_pass http://sockets; proxy_read_timeout 1h;
            proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;
        }}
    }}
}}
"""
)

HAPROXY_CONF = """
global
    nbthread 1
    maxconn 8192
defaults
    mode http
    option forwardfor
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
    http-reuse always
frontend door
    bind 127.0.0.1:{door}
    http-request set-header X-Forwarded-Proto http
    default_backend app
backend app
    server one 127.0.0.1:{upstream}
frontend door_sockets
    bind 127.0.0.1:{door_sockets}
    default_backend sockets
backend sockets
    server one 127.0.0.1:{sockets}
"""


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

    def start(self, core: int, arguments: list[str], ports: list[int]) -> subprocess.Popen:
        for port in ports:
            if not machine.is_free(port):
                raise RuntimeError(f"port {port} is taken: something of an earlier run is still there")
        pinned = ["taskset", "-c", str(core), *arguments]
        process = subprocess.Popen(pinned, env=machine.environment(), stdout=subprocess.DEVNULL)
        self.processes.append(process)
        patience = time.monotonic() + 10
        while any(machine.is_free(port) for port in ports):
            if process.poll() is not None or time.monotonic() > patience:
                raise RuntimeError(f"`{arguments[0]}` does not listen on {ports}")
            time.sleep(0.02)
        return process


def upstream(running: Running, core: int) -> None:
    """1 KB at `/`, 10 MB at `/10m`, and a WebSocket echo on a port of its own."""
    folder = folder_of(running, "upstream")
    (folder / "www").mkdir(exist_ok=True)
    (folder / "www/10m").write_bytes(os.urandom(10 * 1024 * 1024))
    (folder / "www").chmod(0o755)
    conf = UPSTREAM_CONF.format(folder=folder, upstream=UPSTREAM, body="x" * 1024)
    running.start(core, nginx(folder, conf), [UPSTREAM])
    sockets = Path(__file__).parent / "sockets.py"
    running.start(core, ["python3", str(sockets), "echo", str(SOCKETS)], [SOCKETS])


def start_nginx(running: Running, core: int, log: bool) -> subprocess.Popen:
    folder = folder_of(running, "nginx")
    target = f"{folder}/access.log combined buffer=64k flush=1s" if log else "off"
    conf = NGINX_CONF.format(folder=folder, log=target, **ports())
    return running.start(core, nginx(folder, conf), [DOOR, DOOR_SOCKETS])


def start_haproxy(running: Running, core: int, log: bool) -> subprocess.Popen:
    assert not log, "HAProxy logs to syslog alone, which is another program's time"
    conf = folder_of(running, "haproxy") / "haproxy.cfg"
    conf.write_text(HAPROXY_CONF.format(**ports()))
    return running.start(core, ["haproxy", "-db", "-f", str(conf)], [DOOR, DOOR_SOCKETS])


def start_hostkit(running: Running, core: int, log: bool) -> subprocess.Popen:
    """The front door alone, with a table of one route."""
    return hostkit(running, core, log, DOOR, UPSTREAM)


def start_hostkit_sockets(running: Running, core: int, log: bool) -> subprocess.Popen:
    return hostkit(running, core, log, DOOR_SOCKETS, SOCKETS)


def hostkit(running: Running, core: int, log: bool, port: int, upstream_port: int) -> subprocess.Popen:
    arguments = [str(EXAMPLE), "--threads", "1", "--log", "on" if log else "off"]
    arguments += ["--listen", f"127.0.0.1:{port}", "--upstream", f"127.0.0.1:{upstream_port}"]
    return running.start(core, [*arguments, "--data", str(folder_of(running, "hostkit"))], [port])


def ports() -> dict[str, int]:
    return {"upstream": UPSTREAM, "sockets": SOCKETS, "door": DOOR, "door_sockets": DOOR_SOCKETS}


def folder_of(running: Running, name: str) -> Path:
    folder = running.folder / name
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    return folder


def nginx(folder: Path, conf: str) -> list[str]:
    file = folder / "nginx.conf"
    # As root its workers would change to another user, who may not read the temporary folder.
    file.write_text(("user root;\n" if os.geteuid() == 0 else "") + conf)
    return ["nginx", "-e", str(folder / "error.log"), "-p", str(folder), "-c", str(file)]
