#!/usr/bin/env bash
# Train the starter models in an environment of their own, because torch is large and serving does not need it.
#
#   scripts/train.sh [pose] [matting] [headbox]     all three by default; each resumes where it stopped
#   scripts/train.sh diffusion                      diffusers besides; needs the networks of matting and headbox
#   scripts/train.sh gan                            TensorFlow, in a second environment
set -euo pipefail
cd "$(dirname "$0")/.."
scripts/setup.sh run
uv=.venv-uv/bin/uv # made by setup.sh unless a recent one is on the PATH
[ -x "$uv" ] || uv=uv
requirements=$(mktemp)
trap 'rm -f "$requirements"' EXIT

# environment FOLDER PACKAGES EXPORT-OPTIONS...: what the training package needs, without torch, and PACKAGES.
environment() {
  local folder=$1 packages=$2
  shift 2
  # Pruned of torch's own dependencies, so that a CPU build given by UV_FIND_LINKS is enough.
  "$uv" export --frozen --quiet --package kuchipaku-training --no-hashes --no-emit-workspace \
    --no-dev --prune torch "$@" -o "$requirements"
  "$uv" venv --quiet --allow-existing "$folder"
  # shellcheck disable=SC2086 # several packages
  "$uv" pip install --quiet --python "$folder/bin/python" $packages -r "$requirements"
}

path=.
for folder in libs/* services/* training; do path+=:$folder; done
export PYTHONPATH=$path

train_gan() {
  environment .venv-train-gan "" --extra gan
  # So that .venv-train-gan/bin/kuchipaku-train is there for faces of one's own.
  local members=(-e .)
  for folder in libs/* services/* training; do members+=(-e "$folder"); done
  "$uv" pip install --quiet --no-deps --python .venv-train-gan/bin/python "${members[@]}"
  local train=(.venv-train-gan/bin/kuchipaku-train gan)
  "${train[@]}" draw
  "${train[@]}" all --epochs 150 --pack models/starter/gan --license Apache-2.0 \
    --source "drawn by this repository's illustrator"
}

torch_ready=
for model in ${*:-pose matting headbox}; do
  if [ "$model" = gan ]; then
    train_gan
    continue
  fi
  if [ "$model" = diffusion ]; then
    environment .venv-train torch==2.13.0 --extra diffusion
  elif [ -z "$torch_ready" ]; then
    environment .venv-train torch==2.13.0
  fi
  torch_ready=yes
  options=()
  # The heads are cut from the pictures that matting drew.
  [ "$model" != headbox ] || options=(--data build/training/matting/data)
  .venv-train/bin/python -m "kuchipaku_training.$model" ${options[@]+"${options[@]}"} all
done
