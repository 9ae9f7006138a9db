#!/usr/bin/env bash
# Build images of the services and tell their sizes.
#
#   deploy/docker/build.sh [TARGET...]     gateway imagegen lipsync compositor pose; pose-gpu only when named
#
# CONTAINER_TOOL  docker or podman, or a program that takes `build` like them (default: whichever is there)
# BASE_IMAGE      slim Debian with Python 3.11 or 3.12 and its venv module
# REGISTRY, TAG   the images are called REGISTRY/TARGET:TAG
# RHUBARB, RHUBARB_SHA256, GATEWAY_OPTIONS, LIPSYNC_OPTIONS, TRACING   build arguments, see docs/operations.md
set -euo pipefail
cd "$(dirname "$0")/../.."

readonly registry=${REGISTRY:-ghcr.io/kuchipaku}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml | head -1)
readonly version tag=${TAG:-$version}
tool=${CONTAINER_TOOL:-}
if [ -z "$tool" ]; then
  tool=$(command -v docker || command -v podman) || { echo "docker or podman is needed" >&2; exit 1; }
fi

arguments=(
  --build-arg "VERSION=$version"
  --build-arg "REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)"
  --build-arg "CREATED=$(date -u +%Y-%m-%dT%H:%M:%SZ)"
)
for option in BASE_IMAGE RHUBARB RHUBARB_SHA256 GATEWAY_OPTIONS LIPSYNC_OPTIONS; do
  [ -z "${!option:-}" ] || arguments+=(--build-arg "$option=${!option}")
done
# Empty, it says something.
[ -z "${TRACING+set}" ] || arguments+=(--build-arg "TRACING=$TRACING")

targets=("$@")
[ "${#targets[@]}" -gt 0 ] || targets=(gateway imagegen lipsync compositor pose)
for target in "${targets[@]}"; do
  "$tool" build -f deploy/docker/Dockerfile --target "$target" "${arguments[@]}" -t "$registry/$target:$tag" .
done
lister=$tool
case $(basename "$tool") in docker | podman) ;; *) lister=podman ;; esac
"$lister" images --format '{{.Repository}}:{{.Tag}} {{.Size}}' | grep -F "$registry/" | grep -F ":$tag " || true
