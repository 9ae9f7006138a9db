#!/usr/bin/env bash
# Train the starter models in an environment of their own, because torch is large and serving does not need it.
#
#   scripts/train.sh [pose] [matting] [headbox]     all three by default; each resumes where it stopped
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh run
uv=.venv-uv/bin/uv # made by setup.sh unless a recent one is on the PATH
[ -x "$uv" ] || uv=uv
requirements=$(mktemp)
trap 'rm -f "$requirements"' EXIT
# Pruned of torch's own dependencies, so that a CPU build given by UV_FIND_LINKS is enough.
"$uv" export --frozen --quiet --package kuchipaku-training --no-hashes --no-emit-workspace \
  --no-dev --prune torch -o "$requirements"
"$uv" venv --quiet --allow-existing .venv-train
"$uv" pip install --quiet --python .venv-train/bin/python torch==2.13.0 -r "$requirements"
path=.
for folder in libs/* services/* training; do path+=:$folder; done
export PYTHONPATH=$path
for model in ${*:-pose matting headbox}; do
  options=()
  # The heads are cut from the pictures that matting drew.
  [ "$model" != headbox ] || options=(--data build/training/matting/data)
  .venv-train/bin/python -m "kuchipaku_training.$model" ${options[@]+"${options[@]}"} all
done
