#!/usr/bin/env bash
# The tests that need torch, with the lowest torch that pyproject.toml declares: a download of gigabytes, so not in .ci/run.
# Usage: tests/nightly/lowest_torch.sh [VENV], build/venv-lowest-torch by default.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${1:-build/venv-lowest-torch}
lowest=$(grep -o 'torch>=[0-9.]*' pyproject.toml | head -n 1 | cut -d= -f2)
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet "torch==$lowest.0" numpy pytest pytest-timeout hypothesis safetensors ml_dtypes matplotlib \
  threadpoolctl scikit-learn h5py
"$venv/bin/pip" install --quiet .
# Deprecations of an old torch are none of ours.
"$venv/bin/python" -m pytest -q -o filterwarnings=default tests/tracing tests/specs tests/files tests/evaluation \
  tests/matching tests/cli tests/families
