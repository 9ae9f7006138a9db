"""Print name, version, licence and licence texts of everything in this environment."""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, distributions

_NAMES = ("LICEN", "COPYING", "NOTICE", "COPYRIGHT")


def licence_of(distribution: Distribution) -> str:
    """Return what a distribution declares, in a line."""
    metadata = distribution.metadata
    declared = metadata["License-Expression"] or metadata["License"] or ""
    if not declared.strip():
        classifiers = metadata.get_all("Classifier") or []
        declared = "; ".join(c.split(" :: ")[-1] for c in classifiers if c.startswith("License"))
    return declared.strip().splitlines()[0] if declared.strip() else "see the text"


def texts_of(distribution: Distribution) -> list[str]:
    """Return the texts of licences that a distribution carries."""
    files = distribution.files or []
    chosen = [f for f in files if f.name.upper().startswith(_NAMES) and f.suffix != ".py"]
    paths = [distribution.locate_file(file) for file in chosen]
    return [path.read_text(errors="replace") for path in paths if path.is_file()]  # type: ignore[attr-defined]


def main() -> None:
    """Print the page."""
    ordered = sorted(distributions(), key=lambda d: (d.metadata["Name"] or "").lower())
    for distribution in ordered:
        name = f"{distribution.metadata['Name']} {distribution.version}"
        sys.stdout.write(f"{'=' * 80}\n{name}\nLicence: {licence_of(distribution)}\n\n")
        sys.stdout.writelines(f"{text}\n" for text in texts_of(distribution))


if __name__ == "__main__":
    main()
