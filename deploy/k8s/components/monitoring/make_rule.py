"""The rules and alerts of deploy/prometheus as an object of the operator's.

    python make_rule.py > prometheus-rule.yaml

Kustomize cannot lay a file of rules into another object, so the result is committed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import yaml

PROMETHEUS = Path(__file__).parents[3] / "prometheus"


def rule() -> str:
    """The object as YAML."""
    files = [yaml.safe_load((PROMETHEUS / name).read_text()) for name in ("rules.yml", "alerts.yml")]
    made = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "cairn",
            "namespace": "cairn",
            "labels": {"app.kubernetes.io/name": "cairn"},
        },
        "spec": {"groups": [group for file in files for group in file["groups"]]},
    }
    note = "# Made by make_rule.py from deploy/prometheus/rules.yml and alerts.yml.\n"
    return note + yaml.safe_dump(made, sort_keys=False, width=1000, allow_unicode=True)


if __name__ == "__main__":
    sys.stdout.write(rule())
