"""Custom objects among manifests, as a program that cannot be compiled and run unless they are right.

Types refuse fields that are unknown, which an API server drops in silence; the schemas behind them, values.
"""

from __future__ import annotations

import json
import sys

import yaml

MODULES = {
    "keda.sh/v1alpha1": "@kubernetes-models/keda/keda.sh/v1alpha1",
    "monitoring.coreos.com/v1": "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1",
}


def main() -> None:
    """Manifests from the standard input, the program to the standard output."""
    for number, each in enumerate(yaml.safe_load_all(sys.stdin)):
        if module := MODULES.get(each["apiVersion"]):
            kind = each["kind"]
            sys.stdout.write(
                f'import {{ {kind} as Kind{number}, type I{kind} as Type{number} }} from "{module}";\n'
                f"const object{number}: Type{number} = {json.dumps(each)};\n"
                f"new Kind{number}(object{number}).validate();\n"
            )
    sys.stdout.write("export {};\n")


if __name__ == "__main__":
    main()
