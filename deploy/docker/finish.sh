#!/bin/sh
# Last step of a build: licences into the environment, and out of it what serving never reads.
#
#   finish.sh PACKAGE MODULE...    PACKAGE serves; it and the modules have to work afterwards
set -eu
package=$1
shift
home=/opt/kuchipaku
share=$home/share/doc/kuchipaku
mkdir -p "$share"
cp LICENSE NOTICE "$share/"
"$home/bin/python" deploy/docker/licences.py >"$share/THIRD-PARTY-LICENCES.txt"
find "$home" -type d \( -name tests -o -name test \) -path '*/site-packages/*' \
  ! -path '*/numpy/testing/*' -prune -exec rm -rf {} +
find "$home" -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.h' -o -name '*.a' \) -delete
# onnxruntime's wheel carries its library twice; Python's module has it inside. NVIDIA's compiler comes twice, too.
rm -rf "$home"/lib/python3*/site-packages/nvidia/cu*/lib/libnvrtc*.alt.so.* \
  "$home"/lib/python3*/site-packages/onnxruntime/capi/libonnxruntime.so* \
  "$home"/lib/python3*/site-packages/onnxruntime/transformers \
  "$home"/lib/python3*/site-packages/onnxruntime/tools \
  "$home"/lib/python3*/site-packages/onnxruntime/quantization \
  "$home"/lib/python3*/site-packages/onnxruntime/datasets \
  "$home"/lib/python3*/site-packages/numpy/f2py \
  "$home"/lib/python3*/site-packages/numpy/distutils
# Symbols help nobody without their sources. Bundled third-party libraries (*.libs) stay as their wheels carry them.
find "$home" -type f -name '*.so' -path '*/site-packages/*' ! -path '*.libs/*' -exec strip --strip-unneeded {} +
for module in "$@"; do "$home/bin/python" -c "import $module"; done
if [ -n "${TRACING:-}" ]; then
  "$home/bin/python" -c "import opentelemetry.exporter.otlp.proto.grpc.trace_exporter, opentelemetry.sdk.trace.export"
fi
"$home/bin/python" -m "$package" --help >/dev/null
