"""Scores in a file, so that a long measurement can be made in pieces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from speechbench.scores import Scores


class Results:
    """Scores by name. What is in the file is not measured again."""

    def __init__(self, file: Path | None) -> None:
        """Without a file nothing is kept."""
        self._file = file
        self._known: dict[str, Any] = {}
        if file is not None and file.exists():
            self._known = json.loads(file.read_text())

    def get(self, name: str, measure: Callable[[], Scores]) -> Scores:
        """The scores of that name, measured now unless they are known."""
        if name not in self._known:
            self._known[name] = measure().to_json()
            if self._file is not None:
                self._file.write_text(json.dumps(self._known))
        return Scores.from_json(self._known[name])
