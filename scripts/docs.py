"""Write the tables of docs/ that come from code, or check that they are fresh.

Usage: python scripts/docs.py [--check]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from kuchipaku_compositor.settings import CompositorSettings
from kuchipaku_contract.limits import limit_rows
from kuchipaku_gateway.settings import GatewaySettings
from kuchipaku_imagegen.settings import ImagegenSettings
from kuchipaku_lipsync.settings import LipsyncSettings
from kuchipaku_pose.settings import PoseSettings
from kuchipaku_runtime import ServiceSettings

DOCS = Path(__file__).resolve().parent.parent / "docs"
SETTINGS: tuple[type[ServiceSettings], ...] = (
    GatewaySettings,
    ImagegenSettings,
    PoseSettings,
    LipsyncSettings,
    CompositorSettings,
)


def limits() -> Iterator[str]:
    """The table of limits."""
    yield "# Limits"
    yield ""
    yield "Generated from `kuchipaku_contract.limits` by `python scripts/docs.py`. Whatever goes"
    yield "beyond a limit is refused with a status that names the field and the limit."
    yield ""
    yield "| limit | value | unit | what it bounds |"
    yield "|---|---:|---|---|"
    for row in limit_rows():
        yield f"| `{row.name}` | {row.value:,} | {row.unit} | {row.meaning} |"


def settings() -> Iterator[str]:
    """The tables of settings."""
    yield "# Settings"
    yield ""
    yield "Generated from the settings classes by `python scripts/docs.py`. Every setting is an"
    yield "environment variable; the same without the prefix is a command line option, for example"
    yield "`python -m kuchipaku_pose --address 127.0.0.1:0`."
    common = {
        (name.removeprefix("KUCHIPAKU_SERVICE_"), default)
        for name, default, _ in _rows(ServiceSettings)
    }
    yield ""
    yield "## All services (`KUCHIPAKU_<SERVICE>_...`)"
    yield from _table(_rows(ServiceSettings))
    for kind in SETTINGS:
        prefix = f"KUCHIPAKU_{kind.service_name().upper()}_"
        own = [row for row in _rows(kind) if (row[0].removeprefix(prefix), row[1]) not in common]
        yield ""
        yield f"## {kind.service_name()}"
        yield from _table(own)


def _rows(kind: type[ServiceSettings]) -> list[tuple[str, str, str]]:
    return [(row.variable, row.default, row.description) for row in kind.rows()]


def _table(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    yield ""
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for variable, default, description in rows:
        shown = f"`{default}`" if default else ""
        yield f"| `{variable}` | {shown} | {description} |"


def main() -> int:
    """Write, or with --check compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a table is stale")
    check = parser.parse_args().check
    stale = []
    for name, lines in (("limits.md", limits()), ("settings.md", settings())):
        path, text = DOCS / name, "\n".join(lines) + "\n"
        if check and (not path.is_file() or path.read_text(encoding="utf-8") != text):
            stale.append(name)
        elif not check:
            path.write_text(text, encoding="utf-8")
    if stale:
        print(f"Stale: {', '.join(stale)}. Run `python scripts/docs.py`.", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    raise SystemExit(main())
