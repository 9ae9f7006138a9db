#!/bin/sh
# Lay Rhubarb out below /rhubarb as the image has it: the program on the PATH, its models beside it, its licences with the others.
#
#   install.sh npm             the copy that scripts/rhubarb.py pins
#   install.sh release SHA256  the archive in this folder
#   install.sh ""              nothing
set -eu
here=deploy/docker/rhubarb
mkdir /rhubarb
case $1 in
  "") exit 0 ;;
  npm)
    apt-get update
    apt-get install -y --no-install-recommends npm
    python3 scripts/rhubarb.py
    ;;
  release) python3 "$here/unpack.py" "$here" "$2" build/rhubarb ;;
  *)
    echo "RHUBARB is npm, release or empty, not $1" >&2
    exit 1
    ;;
esac
licences=/rhubarb/opt/kuchipaku/share/doc/kuchipaku/rhubarb
mkdir -p "$licences" /rhubarb/opt/kuchipaku/bin
mv build/rhubarb /rhubarb/opt/rhubarb
chmod -R u=rwX,go=rX /rhubarb/opt/rhubarb
cp /rhubarb/opt/rhubarb/LICENSE.md "$here/NOTICE" "$licences/"
ln -s ../../rhubarb/rhubarb /rhubarb/opt/kuchipaku/bin/rhubarb
/rhubarb/opt/kuchipaku/bin/rhubarb --version
