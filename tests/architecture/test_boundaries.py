"""The folders show the architecture; these tests keep it so."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = sorted(
    path.parent
    for folder in ("libs", "services", "training")
    for path in ROOT.glob(f"{folder}/**/pyproject.toml")
)
HEAVY = {"torch", "tensorflow", "keras"}
# Import of official weights: run once per model, by the command line, never by a service.
OFFLINE = "kuchipaku_pose.tha"
# Modules that may know of gRPC; everything else in a member is domain code.
TRANSPORT_FILES = {"servicer.py", "service.py", "__main__.py", "settings.py"}


def _sources(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*.py") if "/v1/" not in path.as_posix())


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module)
    return found


def _roots(path: Path) -> set[str]:
    return {name.split(".")[0] for name in _imports(path)}


def _module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _package(member: Path) -> Path:
    return member / ("kuchipaku_" + member.name)


def _declared(member: Path) -> set[str]:
    project = tomllib.loads((member / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = list(project["dependencies"])
    for extra in project.get("optional-dependencies", {}).values():
        lines += extra
    names = set()
    for line in lines:
        name = line
        for mark in "[=<>~! ;":
            name = name.split(mark)[0]
        names.add(name.lower().replace("-", "_"))
    return names


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_a_member_imports_only_members_it_declares(member: Path) -> None:
    used = {
        root
        for path in _sources(_package(member))
        for root in _roots(path)
        if root.startswith("kuchipaku") and root != _package(member).name
    }
    assert used <= _declared(member)


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_serving_code_imports_no_training_framework(member: Path) -> None:
    if member.name == "training":
        pytest.skip("training is where they belong")
    offenders = {
        path.relative_to(ROOT).as_posix(): _roots(path) & HEAVY
        for path in _sources(_package(member))
        if _roots(path) & HEAVY and OFFLINE not in _module_name(path)
    }
    assert not offenders


def test_nothing_that_serves_imports_the_import_of_weights() -> None:
    offenders = [
        path.relative_to(ROOT).as_posix()
        for folder in ("kuchipaku", "libs", "services")
        for path in _sources(ROOT / folder)
        if OFFLINE not in _module_name(path)
        and any(name.startswith(OFFLINE) for name in _imports(path))
    ]
    assert not offenders


@pytest.mark.parametrize("member", MEMBERS, ids=lambda path: path.name)
def test_domain_code_knows_nothing_of_grpc(member: Path) -> None:
    if member.name in ("runtime", "gateway"):
        pytest.skip("transport is its purpose")
    offenders = [
        path.relative_to(ROOT).as_posix()
        for path in _sources(_package(member))
        if "grpc" in _roots(path) and path.name not in TRANSPORT_FILES
    ]
    assert not offenders


def test_the_public_package_imports_no_service() -> None:
    forbidden = {f"kuchipaku_{path.name}" for path in ROOT.glob("services/*")} | {
        "kuchipaku_runtime",
        "kuchipaku_training",
    }
    offenders = {
        path.relative_to(ROOT).as_posix(): _roots(path) & forbidden
        for path in _sources(ROOT / "kuchipaku")
        if _roots(path) & forbidden
    }
    assert not offenders


def test_only_settings_read_the_environment() -> None:
    allowed = {
        "supervisor.py",  # hands the environment on to the processes that it starts
        "tensorrt.py",  # NVIDIA's libraries have no other way to be told
    }
    offenders = []
    for folder in ("libs", "services", "kuchipaku"):
        for path in _sources(ROOT / folder):
            text = path.read_text(encoding="utf-8")
            if ("os.environ" in text or "os.getenv" in text) and path.name not in allowed:
                offenders.append(path.relative_to(ROOT).as_posix())
    assert not offenders


def test_files_stay_readable() -> None:
    folders = ("kuchipaku", "libs", "services", "training", "scripts", "benchmarks", "tests")
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for folder in folders
        for path in _sources(ROOT / folder)
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > 450
    }
    assert not long
