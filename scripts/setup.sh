#!/usr/bin/env bash
# Make the environment .venv from the committed lock.
#
#   scripts/setup.sh run [MEMBER[EXTRA]...]    what the main job needs, and extras of services, as imagegen[diffusion]
#   scripts/setup.sh dev                       also linters, tests, code generators and torch
#
# Needs Python 3.11 or 3.12. Installs uv into .venv-uv unless a recent one is on the PATH. On Debian and Ubuntu
# as root it installs the system packages that are missing; otherwise it says which ones they are.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly UV_VERSION=0.13.9
readonly TORCH_VERSION=2.13.0
profile=${1:-run}
[ "$#" -eq 0 ] || shift

say() { printf '\033[1m==>\033[0m %s\n' "$*"; }

need_packages() {
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    say "installing $*"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
  else
    echo "Please install: $*" >&2
    exit 1
  fi
}

find_python() {
  local name
  for name in python3.11 python3.12 python3; do
    # The interpreter itself: uv takes a shim, as of pyenv, for another Python than that of .venv and makes it anew.
    if command -v "$name" >/dev/null &&
      "$name" -c 'import sys; (3, 11) <= sys.version_info[:2] < (3, 13) or sys.exit(1); print(sys.executable)' 2>/dev/null; then
      return
    fi
  done
  return 1
}

find_uv() {
  if command -v uv >/dev/null && [ "$(printf '%s\n' 0.9 "$(uv --version | cut -d' ' -f2)" | sort -V | head -1)" = 0.9 ]; then
    command -v uv
    return
  fi
  if [ ! -x .venv-uv/bin/uv ]; then
    say "installing uv $UV_VERSION" >&2
    "$python" -m venv --clear .venv-uv >/dev/null 2>&1 || {
      need_packages python3-venv >&2
      "$python" -m venv --clear .venv-uv
    }
    .venv-uv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION" >&2
  fi
  echo .venv-uv/bin/uv
}

install_torch() {
  # By pip and outside of the lock: pip's configuration says which of torch's builds this machine takes.
  if ! .venv/bin/python -c 'import importlib.metadata as m, sys; sys.exit(m.version("torch").split("+")[0] != sys.argv[1])' \
    "$TORCH_VERSION" 2>/dev/null; then
    say "installing torch $TORCH_VERSION"
    "$uv" pip install --quiet --python .venv/bin/python pip
    .venv/bin/python -m pip install --quiet --disable-pip-version-check "torch==$TORCH_VERSION"
  fi
}

install_extras() {
  local wish
  for wish in "$@"; do
    if [ ! -d "services/${wish%%\[*}" ]; then
      echo "There is no service ${wish%%\[*}." >&2
      exit 2
    fi
    case $wish in *export* | *diffusion*) install_torch ;; esac
    say "installing kuchipaku-$wish"
    "$uv" pip install --quiet --python .venv/bin/python --editable "services/$wish"
  done
}

python=$(find_python) || { need_packages python3 python3-venv; python=$(find_python); }
uv=$(find_uv)

# --inexact: running the product does not remove what development installed.
options=(--frozen --inexact --python "$python" --extra standalone)
[ "$profile" = dev ] || options+=(--no-default-groups)
stamp=.venv/.kuchipaku-$profile
if [ ! -e "$stamp" ] || [ uv.lock -nt "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
  say "installing the environment ($profile)"
  "$uv" sync "${options[@]}"
  touch "$stamp"
fi

if [ "$profile" = dev ]; then
  install_torch
  command -v npm >/dev/null || need_packages npm
  if [ ! -d node_modules/@bufbuild/buf ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
    say "installing buf"
    # Not "npm ci": a mirror may lack the binaries of other systems, which the lock then cannot name.
    npm install --no-save --no-audit --no-fund --loglevel=error
  fi
  .venv/bin/python scripts/rhubarb.py --optional
fi
install_extras "$@"
