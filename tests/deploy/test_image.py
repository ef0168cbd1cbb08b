"""What the images are made of, as far as it can be told without building one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.deploy.test_compose import SERVICES

PROJECT = Path(__file__).parents[2]
IMAGE = PROJECT / "deploy" / "image"
DOCKERFILE = (PROJECT / "Dockerfile").read_text()
LOCKS = {file.stem: file.read_text() for file in IMAGE.glob("*.lock")}


def pins(text):
    return dict(re.findall(r"^([a-z0-9_.-]+)==([^ ;\\]+)", text, re.MULTILINE))


def test_an_image_holds_the_versions_that_are_tested():
    tested = pins((PROJECT / "requirements" / "serve.lock").read_text())
    for name in ("build", "lexical", "model"):
        different = {each for each in pins(LOCKS[name]).items() if each not in tested.items()}
        assert not different, f"{name}.lock: deploy/image/lock.sh"


def test_an_image_holds_all_that_its_extras_ask_for():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {"lexical": project["dependencies"] + extras["server"] + extras["redis"]}
    wanted["model"] = wanted["lexical"] + [each for each in extras["builtin"] if not each.startswith("torch")]
    for name, requirements in wanted.items():
        asked = {re.match(r"[\w.-]+", each)[0].lower().replace("_", "-") for each in requirements}
        assert asked <= set(pins(LOCKS[name])), f"{name}.lock: deploy/image/lock.sh"


def test_the_builds_of_torch_are_of_one_version_and_that_of_make():
    version = re.search(r"^TORCH := torch==(\S+)", (PROJECT / "Makefile").read_text(), re.MULTILINE)[1]
    assert pins(LOCKS["torch-cuda"])["torch"] == version
    assert pins(LOCKS["torch-cpu"]) == {"torch": f"{version}+cpu"}


def test_nothing_is_installed_without_its_digest():
    for name, text in LOCKS.items():
        assert text.count("--hash=sha256:") >= len(pins(text)) > 0, name
        assert "://" not in text
    installs = re.findall(r"pip (?:--python \S+ )?install .*?(?=\|\||\n(?! ))", DOCKERFILE, re.DOTALL)
    assert len(installs) > 5
    assert all("--require-hashes" in each or "--no-index" in each for each in installs)


def test_a_build_begins_with_one_base_and_that_one_by_its_digest():
    assert re.search(r"^ARG PYTHON=\S+@sha256:[0-9a-f]{64}$", DOCKERFILE, re.MULTILINE)
    stages = set(re.findall(r" AS (\S+)$", DOCKERFILE, re.MULTILINE))
    assert set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)) <= stages | {"${PYTHON}", "scratch"}
    assert {"lexical", "cpu", "cuda"} <= stages
    assert SERVICES["cairn"]["build"]["target"] == "${CAIRN_TARGET:-cpu}"


def test_whatever_is_copied_into_a_build_is_let_through_to_it():
    ignored = (PROJECT / ".dockerignore").read_text().splitlines()
    admitted = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = [
        word
        for line in re.findall(r"^COPY (?!--)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for word in line.split()
    ]
    assert copied
    for name in copied:
        assert (PROJECT / name).exists(), name
        assert any(name == each or name.startswith(f"{each}/") for each in admitted), name


def test_nothing_that_the_service_imports_is_left_out_of_an_image():
    program = """
import json, sys
sys.path.insert(0, sys.argv[1])
import slim
asked = set()
sys.addaudithook(lambda event, found: asked.add(str(found[0])) if event == "open" else None)
before = set(sys.modules)
from service.bootstrap import build_parts
from service.settings import Settings
from service.matching import prepare_worker
build_parts(Settings(workers=0, redis_url="redis://localhost", embedding_model="builtin", device="cpu"))
prepare_worker()
asked |= {str(getattr(sys.modules[name], "__file__", None)) for name in set(sys.modules) - before}
files = [slim.Path(each) for each in asked if "site-packages" in each and "__pycache__" not in each]
print(json.dumps([str(path) for each in files
                  for path in [each, *each.parents] if slim.UNREAD.search(str(path))]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, IMAGE], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []


class Alive(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" and self.server.alive else 503)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with HTTPServer(("127.0.0.1", 0), Alive) as answering:
        answering.alive = True
        thread = Thread(target=answering.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield answering
        answering.shutdown()
        thread.join()


def health(**ports):
    environment = {name: str(port) for name, port in ports.items()}
    return subprocess.run([sys.executable, IMAGE / "health.py"], env=environment, check=False).returncode


def test_the_health_check_tells_alive_from_dead_and_from_gone(server):
    port = server.server_port
    assert health(CAIRN_PORT=port) == 0
    server.alive = False
    assert health(CAIRN_PORT=port) == 1
    assert health(CAIRN_PORT=1) == 1


def test_the_health_check_asks_the_port_that_probes_have(server):
    assert health(CAIRN_PORT=1, CAIRN_PROBE_PORT=server.server_port) == 0
    assert health(CAIRN_PORT=server.server_port, CAIRN_PROBE_PORT=0) == 0
