#!/usr/bin/env bash
# Whether Kubernetes would take every overlay, as far as that can be told without a cluster: rendered by kustomize, held
# against the API of three versions and the types of custom objects, and against what checkov calls safe.
# Needs kubectl, npm and node; the other tools are pinned here and brought by uv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

PYTHON=${PYTHON:-$PWD/../../.venv/bin/python}
VERSIONS=(1.30 1.34 1.37)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

for tool in kubectl npm node; do
    command -v "$tool" >/dev/null || { echo "k8s: needs $tool" >&2; exit 1; }
done

uvx() { "$PYTHON" -m uv tool run --quiet "$@"; }

mkdir "$WORK/objects"
cp schemas/package.json schemas/package-lock.json "$WORK"
npm ci --prefix "$WORK" --ignore-scripts --no-audit --no-fund --silent

for overlay in overlays/*/; do
    name=$(basename "$overlay")
    kubectl kustomize "$overlay" >"$WORK/objects/$name.yaml"
    "$PYTHON" schemas/as_typescript.py <"$WORK/objects/$name.yaml" >"$WORK/$name.mts"
done

for version in "${VERSIONS[@]}"; do # custom kinds, which it does not know, are the next step's
    uvx --from kubernetes-validate==1.37.0 kubernetes-validate --strict --quiet -k "$version" "$WORK"/objects/*.yaml
    echo "k8s: every object is valid in Kubernetes $version"
done

(cd "$WORK" && node_modules/.bin/tsc --strict --skipLibCheck --module nodenext --outDir made ./*.mts)
for program in "$WORK"/made/*.mjs; do
    NODE_PATH="$WORK/node_modules" node "$program"
done
echo "k8s: every custom object is what its operator knows"

# No external data is fetched; a skipped check has its reason beside it, in an annotation of the object.
uvx --from checkov==3.3.30 checkov --skip-download --quiet --compact --framework kubernetes --directory "$WORK/objects"
echo "k8s: checkov finds nothing"
