"""A HostKit installation of its own for a measurement: started on a free port, stopped and removed at the end."""

import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
APPS = ROOT / "fixtures/apps"
HOSTKIT = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve() / "release/hostkit"


@dataclass
class Answer:
    status: int
    release: str
    body: str


class Installation:
    """`with Installation() as host:`"""

    def __enter__(self) -> "Installation":
        self.folder = Path(tempfile.mkdtemp(prefix="hostkit-bench-"))
        self.data = self.folder / "data"
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("HOSTKIT_")},
            "HOSTKIT_DATA": str(self.data),
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }
        self.run("up", "--detach", "--http-port", "0")
        self.status = json.loads(self.run("status", "--json"))
        self.port = int(self.status["front_door"].rstrip("/").rsplit(":", 1)[1])
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run([HOSTKIT, "down"], env=self.environment, stdout=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [HOSTKIT, *arguments], env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str) -> str:
        process = self.start(*arguments)
        output, talk = process.communicate()
        if process.returncode != 0:
            raise RuntimeError(f"`hostkit {' '.join(arguments)}` ended with {process.returncode}:\n{talk}\n{output}")
        return output

    def variables(self, project: str) -> dict[str, str]:
        """What the programs of a project that was deployed are told."""
        file = self.data / "projects" / project / "environments/production/.env"
        pairs = [line.split("=", 1) for line in file.read_text().splitlines() if "=" in line and line[0] != "#"]
        return {name: value.strip('"') for name, value in pairs}

    def copy_of(self, app: str) -> Path:
        """A sample app that may be changed."""
        folder = self.folder / app
        shutil.copytree(APPS / app, folder, ignore=shutil.ignore_patterns("node_modules", ".next", "dist", "data"))
        return folder

    def ask(self, project: str, path: str = "/") -> Answer:
        """One request through the front door, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path, headers={"Host": f"{project}.localhost"})
            answer = connection.getresponse()
            body = answer.read().decode(errors="replace")
            return Answer(answer.status, answer.getheader("x-hostkit-release", ""), body)
        except OSError as error:
            return Answer(0, "", str(error))
        finally:
            connection.close()

    def seconds_until(self, began: float, project: str, seen, hopeful, patience: float = 120) -> float | None:
        """Asks every 2 ms until the answer is the wanted one; the time since `began`, or none without hope of it."""
        while hopeful() and time.perf_counter() - began < patience:
            if seen(self.ask(project)):
                return time.perf_counter() - began
            time.sleep(0.002)
        return None

    def roles(self) -> dict[str, list[int]]:
        """The process ids of this installation by role: `control`, `proxy`, `shim`, and so on."""
        found: dict[str, list[int]] = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().split(b"\0")
                environ = (folder / "environ").read_bytes()
                program = os.readlink(folder / "exe").removesuffix(" (deleted)")
            except OSError:
                continue
            ours = str(self.data).encode()
            if program == str(HOSTKIT) and (ours in environ or any(ours in word for word in words)):
                role = words[1].decode() if len(words) > 1 else "?"
                found.setdefault(role, []).append(int(folder.name))
        return found
