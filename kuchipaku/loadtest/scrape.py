"""Reads what services export to Prometheus, before and after a run."""

from __future__ import annotations

import asyncio
import re
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

_LINE = re.compile(r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>.*)\})? (?P<value>\S+)(?: \d+)?")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_TIMEOUT_S = 5.0

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Samples:
    """The values of one service at one moment."""

    values: Mapping[tuple[str, Labels], float] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Samples:
        """Read Prometheus' text format; what is no sample is skipped."""
        values: dict[tuple[str, Labels], float] = {}
        for line in text.splitlines():
            found = _LINE.fullmatch(line.strip())
            if found is None or line.startswith("#"):
                continue
            labels = frozenset(_LABEL.findall(found["labels"] or ""))
            values[found["name"], labels] = float(found["value"])
        return cls(values)

    def total(self, name: str, **labels: str) -> float:
        """The sum of a metric over all labels but the given ones; 0 where there is none."""
        wanted = frozenset(labels.items())
        return sum(v for (n, own), v in self.values.items() if n == name and wanted <= own)

    def by(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """The sums of a metric by the values of one label."""
        wanted = frozenset(labels.items())
        sums: dict[str, float] = {}
        for (own_name, own), value in self.values.items():
            if own_name == name and wanted <= own and (key := dict(own).get(label)) is not None:
                sums[key] = sums.get(key, 0.0) + value
        return sums

    def since(self, before: Samples) -> Samples:
        """What was added since; for counters."""
        return Samples(
            {key: value - before.values.get(key, 0.0) for key, value in self.values.items()}
        )


async def scrape(addresses: Mapping[str, str]) -> dict[str, Samples]:
    """The present values of services by name. Raises OSError where one does not answer."""
    read = await asyncio.gather(*(asyncio.to_thread(_get, a) for a in addresses.values()))
    return {name: Samples.parse(text) for name, text in zip(addresses, read, strict=True)}


def _get(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=_TIMEOUT_S) as answer:
        text: str = answer.read().decode()
    return text
