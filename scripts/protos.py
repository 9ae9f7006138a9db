"""Generate the Python stubs of protos/ into the public package, or check that they are fresh.

Usage: python scripts/protos.py [--check]
"""

from __future__ import annotations

import argparse
import filecmp
import shutil
import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PACKAGE = ROOT / "kuchipaku"


def generate(target: Path) -> None:
    """Write stubs and their type stubs for every proto file below `target`."""
    sources = sorted(str(path) for path in PROTOS.rglob("*.proto"))
    well_known = str(files("grpc_tools") / "_proto")
    # The plugins lie beside the interpreter, which need not be on PATH.
    scripts = Path(sys.executable).parent
    code = protoc.main(
        [
            "protoc",
            f"--plugin=protoc-gen-mypy={scripts / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={scripts / 'protoc-gen-mypy_grpc'}",
            f"-I{PROTOS}",
            f"-I{well_known}",
            f"--python_out={target}",
            f"--grpc_python_out={target}",
            f"--mypy_out={target}",
            f"--mypy_grpc_out={target}",
            *sources,
        ]
    )
    if code != 0:
        raise SystemExit(code)
    for folder in {path.parent for path in target.rglob("*_pb2.py")}:
        _drop_empty_services(folder)
        for package in (folder, folder.parent):
            (package / "__init__.py").touch()


def _drop_empty_services(folder: Path) -> None:
    for stub in folder.glob("*_pb2_grpc.py"):
        if "class " not in stub.read_text(encoding="utf-8"):
            stub.unlink()
            stub.with_suffix(".pyi").unlink(missing_ok=True)


def _generated(root: Path) -> set[Path]:
    return {
        path.relative_to(root)
        for folder in root.glob("*/v1")
        for path in [*folder.glob("*"), folder.parent / "__init__.py"]
        if path.is_file()
    }


def _is_fresh(fresh: Path) -> bool:
    names = _generated(fresh)
    if names != _generated(PACKAGE):
        return False
    return all(filecmp.cmp(fresh / name, PACKAGE / name, shallow=False) for name in names)


def main() -> int:
    """Generate, or with --check compare with what is committed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if the stubs are stale")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = Path(folder) / "kuchipaku"
        if arguments.check:
            if _is_fresh(fresh):
                return 0
            print("The generated stubs are stale: run `make protos`.", file=sys.stderr)
            return 1
        for stale in PACKAGE.glob("*/v1"):
            shutil.rmtree(stale)
        shutil.copytree(fresh, PACKAGE, dirs_exist_ok=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
