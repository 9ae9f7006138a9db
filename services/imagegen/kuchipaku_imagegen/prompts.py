"""Prompts of models that take free text: templates for portraits that can be animated, and a
list of words that an operator does not want."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError

#: Stands for the caller's words in a template.
PLACE: Final = "{prompt}"
PORTRAIT: Final = (
    "{prompt}, anime style, solo, one character, upper body, front view, facing forward, "
    "looking at viewer, standing upright, head and shoulders in frame, eyes open, "
    "mouth slightly open, eyebrows visible, arms at sides, simple plain background"
)
AVOIDED: Final = (
    "{prompt}, multiple people, side view, from behind, looking away, closed eyes, hat over eyes, "
    "hands near face, cropped head, out of frame, close-up, text, watermark, busy background, "
    "lowres, deformed"
)


@dataclass(frozen=True, slots=True)
class Templates:
    """What is put around a prompt and a negative prompt; each holds ``{prompt}``."""

    prompt: str = PORTRAIT
    negative: str = AVOIDED

    def __post_init__(self) -> None:
        """Raise ValueError for a template without a place for the prompt."""
        for template in (self.prompt, self.negative):
            if PLACE not in template:
                raise ValueError(f"a prompt template needs {PLACE}")

    def portrait(self, prompt: str, negative: str) -> tuple[str, str]:
        """Both prompts within their templates."""
        return _filled(self.prompt, prompt), _filled(self.negative, negative)


def _filled(template: str, text: str) -> str:
    return template.replace(PLACE, text.strip()).strip(" ,")


@dataclass(frozen=True, slots=True)
class Blocklist:
    """Words and phrases that no prompt may hold, whatever their case."""

    pattern: re.Pattern[str] | None = field(default=None)

    @classmethod
    def of(cls, phrases: list[str]) -> Blocklist:
        """A list of phrases; runs of white space in a prompt count as one space."""
        words = [r"\s+".join(re.escape(part) for part in phrase.split()) for phrase in phrases]
        if not words:
            return cls()
        return cls(re.compile(rf"(?<!\w)(?:{'|'.join(words)})(?!\w)", re.IGNORECASE))

    @classmethod
    def read(cls, path: Path | None) -> Blocklist:
        """A file with a phrase a line; # starts a comment.

        Raises `FailedPreconditionError` BLOCKLIST_NOT_READABLE.
        """
        if path is None:
            return cls()
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise FailedPreconditionError(
                f"The blocklist {path} cannot be read.", reason="BLOCKLIST_NOT_READABLE"
            ) from error
        phrases = (line.partition("#")[0].strip() for line in lines)
        return cls.of([phrase for phrase in phrases if phrase])

    def check(self, prompt: str) -> None:
        """Raise `InvalidArgumentError` PROMPT_BLOCKED; which phrase it was is not told."""
        if self.pattern is not None and self.pattern.search(prompt):
            raise InvalidArgumentError(
                "The prompt asks for something that this service does not draw.",
                reason="PROMPT_BLOCKED",
                field="prompt",
            )
