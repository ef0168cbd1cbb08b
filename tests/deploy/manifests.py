"""What `deploy/k8s` renders to, by kustomize itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

K8S = Path(__file__).parents[2] / "deploy" / "k8s"
OVERLAYS = sorted(each.name for each in (K8S / "overlays").iterdir())
FOUND = shutil.which("kubectl")
MISSING = "NOT RUN: what the overlays render to needs kubectl"

Object = dict[str, Any]


@dataclass(frozen=True)
class Rendered:
    """The objects of one overlay."""

    objects: tuple[Object, ...]

    def all(self, kind: str) -> list[Object]:
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str, name: str = "cairn") -> Object:
        """The one of this name; names of generated ConfigMaps end in a digest."""
        ending = r"-[a-z0-9]{10}" if kind == "ConfigMap" else ""
        (found,) = [
            each
            for each in self.all(kind)
            if re.fullmatch(re.escape(name) + ending, each["metadata"]["name"])
        ]
        return found

    @property
    def workloads(self) -> list[Object]:
        return self.all("Deployment") + self.all("StatefulSet")

    @property
    def settings(self) -> dict[str, str]:
        found: dict[str, str] = self.one("ConfigMap", "cairn-settings")["data"]
        return found

    @property
    def container(self) -> Object:
        found: Object = self.one("Deployment")["spec"]["template"]["spec"]["containers"][0]
        return found


@cache
def render(overlay: str) -> Rendered:
    done = subprocess.run(
        ["kubectl", "kustomize", K8S / "overlays" / overlay],  # noqa: S607 - Debian's or the reader's own
        capture_output=True,
        text=True,
        check=True,
    )
    return Rendered(tuple(yaml.safe_load_all(done.stdout)))
