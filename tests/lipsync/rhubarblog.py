"""Reads what the genuine Rhubarb logged and answered."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from kuchipaku_lipsync.phones import PhoneSegment, parse_phone

_PHONE = re.compile(r"##phone\[([\d.]+)-([\d.]+)\]: (\S+)")


@dataclass(frozen=True)
class Run:
    """One run of Rhubarb: the phones that it heard and the file that it wrote."""

    name: str
    phones: list[PhoneSegment]
    duration_cs: int
    answer: str
    frames: str


def frames_of(cues: list[dict[str, object]]) -> str:
    """One letter per 10 ms."""
    return "".join(
        str(cue["value"]) * (centiseconds(cue["end"]) - centiseconds(cue["start"])) for cue in cues
    )


def centiseconds(seconds: object) -> int:
    return round(float(str(seconds)) * 100)


def read_runs(folder: Path) -> list[Run]:
    """All logged runs of one of the corpus' folders."""
    runs = []
    for log in sorted((folder / "logs").glob("*.log")):
        clip, variant, _ = log.name.rsplit(".", 2)
        answer = (folder / variant / f"{clip}.json").read_text()
        parsed = json.loads(answer)
        phones = [
            PhoneSegment(centiseconds(start), centiseconds(end), parse_phone(name))
            for start, end, name in _PHONE.findall(log.read_text())
        ]
        runs.append(
            Run(
                f"{folder.name}/{log.stem}",
                phones,
                centiseconds(parsed["metadata"]["duration"]),
                answer,
                frames_of(parsed["mouthCues"]),
            )
        )
    return runs
