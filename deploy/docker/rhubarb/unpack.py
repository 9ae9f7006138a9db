"""Unpack a release of Rhubarb Lip Sync that somebody has put into a folder.

Usage: python unpack.py FOLDER SHA256 TARGET

FOLDER holds one archive (.zip or .tar.gz), SHA256 is its digest. TARGET becomes a folder with
rhubarb, res and LICENSE.md.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from pathlib import Path


def main(folder: Path, sha256: str, target: Path) -> None:
    """Check and unpack it. Ends the process with a message where something is wrong."""
    archives = [*folder.glob("*.zip"), *folder.glob("*.tar.gz")]
    if len(archives) != 1:
        raise SystemExit(f"{folder} has to hold one archive of Rhubarb, not {len(archives)}")
    digest = hashlib.sha256(archives[0].read_bytes()).hexdigest()
    if digest != sha256.lower():
        raise SystemExit(
            f"{archives[0].name} has the sha256 {digest}, not RHUBARB_SHA256={sha256 or '(unset)'}"
        )
    with tempfile.TemporaryDirectory() as name:
        inside = Path(name)
        if archives[0].suffix == ".zip":
            shutil.unpack_archive(archives[0], inside)
        else:
            shutil.unpack_archive(archives[0], inside, filter="data")
        found = [path for path in inside.rglob("rhubarb") if path.is_file()]
        if len(found) != 1 or not (found[0].parent / "res" / "sphinx").is_dir():
            raise SystemExit(f"{archives[0].name} holds no program `rhubarb` with its folder `res`")
        _take(found[0].parent, target)


def _take(release: Path, target: Path) -> None:
    """The program, its models and licences; what it brings for other programs stays behind."""
    licence = release / "LICENSE.md"
    if not licence.is_file():
        raise SystemExit("the archive holds no LICENSE.md")
    target.mkdir(parents=True)
    shutil.copy(release / "rhubarb", target / "rhubarb")
    shutil.copytree(release / "res", target / "res")
    shutil.copy(licence, target)
    (target / "rhubarb").chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
