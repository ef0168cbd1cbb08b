#!/usr/bin/env bash
# Pin what the images are made of: the versions of requirements/serve.lock, in the parts that the Dockerfile installs.
# torch-cpu.lock is kept by hand, since no index but PyTorch's own lists that build: its digests are those that the
# index shows for each Python and machine.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

TORCH=$(sed -nE 's/^(torch==[0-9.]+)\+cpu.*/\1/p' deploy/image/torch-cpu.lock)

pin() {
    local lock=$1
    shift
    "${PYTHON:-.venv/bin/python}" -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-annotate --custom-compile-command 'make lock' --constraint requirements/serve.lock \
        --constraint <(echo "$TORCH") --output-file "deploy/image/$lock" "$@"
}

pin build.lock --group build
pin lexical.lock pyproject.toml --extra server --extra redis
pin model.lock pyproject.toml --extra server --extra redis --extra builtin --no-emit-package torch
# pyproject.toml says of torch what any build needs; here is what the one with CUDA brings.
pin torch-cuda.lock <(echo "$TORCH") --no-config
