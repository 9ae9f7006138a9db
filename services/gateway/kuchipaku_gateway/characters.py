"""What a character is, and the rules for its fields."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from kuchipaku_animation.expressions import EXPRESSIONS
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_contract.limits import LIMITS

_ID = re.compile(r"[a-z0-9](?:[a-z0-9-]{2,61})[a-z0-9]")
_COLLECTION = "characters/"
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Origin:
    """What a generated character was made from."""

    prompt: str = ""
    seed: int = 0
    image_model: str = ""


@dataclass(frozen=True, slots=True)
class Character:
    """A stored character. The canvas is kept apart, under the SHA-256 of its pixels."""

    character_id: str
    canvas_sha256: str
    """Lower-case hexadecimal SHA-256 of the canvas's RGBA bytes."""
    display_name: str = ""
    owner: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    pose_model: str = ""
    expression: str = ""
    mouth: Mapping[str, Any] = field(default_factory=dict)
    """Mouth shapes of its own, see `kuchipaku_gateway.mouth`."""
    origin: Origin | None = None
    request_key: str = ""
    """`RequestMark.key` of the request that made it; empty for one without an id."""
    etag: str = ""
    create_time: datetime = _NEVER
    update_time: datetime = _NEVER

    @property
    def name(self) -> str:
        """Resource name, ``characters/{id}``."""
        return _COLLECTION + self.character_id

    def stamped(self, *, now: datetime, created: bool = False) -> Character:
        """The same character with a new etag and the time of the change."""
        return replace(
            self,
            etag=secrets.token_hex(8),
            create_time=now if created else self.create_time,
            update_time=now,
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready form that `from_json` reads back."""
        document = asdict(self)
        document["labels"] = dict(self.labels)
        if not self.mouth:
            # Services that know nothing of mouths can then read the record.
            del document["mouth"]
        document["create_time"] = self.create_time.isoformat()
        document["update_time"] = self.update_time.isoformat()
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Character:
        """Read what `to_json` wrote, here or in a later version: fields not known are left out."""
        values = _known(cls, document)
        origin = values.get("origin")
        values["origin"] = Origin(**_known(Origin, origin)) if origin else None
        for key in ("create_time", "update_time"):
            values[key] = datetime.fromisoformat(values[key])
        return cls(**values)


def _known(kind: type, document: Mapping[str, Any]) -> dict[str, Any]:
    names = {known.name for known in fields(kind)}
    return {key: value for key, value in document.items() if key in names}


@dataclass(frozen=True, slots=True)
class RequestMark:
    """How a request to make a character is known again when it is repeated."""

    key: str
    """Hexadecimal SHA-256 of owner and request id: request ids are an owner's own."""
    content: str
    """Hexadecimal SHA-256 of everything that was asked for."""

    @classmethod
    def of(cls, owner: str, request_id: str, content: bytes) -> RequestMark:
        """The mark of a request with an id; `content` is the request in bytes."""
        # Callers choose owners and ids; a hash keeps them from choosing paths.
        key = hashlib.sha256(json.dumps([owner, request_id]).encode())
        return cls(key.hexdigest(), hashlib.sha256(content).hexdigest())


def parse_name(name: str, *, field_path: str = "name") -> str:
    """The id in ``characters/{id}``.

    Raises `InvalidArgumentError` where the name does not have that form.
    """
    character_id = name.removeprefix(_COLLECTION)
    if not name.startswith(_COLLECTION) or not _ID.fullmatch(character_id):
        raise InvalidArgumentError(
            "A character is named characters/{id}, the id being 4-63 lower-case letters, digits "
            "and hyphens.",
            reason="CHARACTER_NAME_INVALID",
            field=field_path,
        )
    return character_id


def new_id() -> str:
    """A fresh opaque id."""
    return secrets.token_hex(8)


def check_id(character_id: str) -> None:
    """Raise `InvalidArgumentError` unless a caller may give this id to a character."""
    if not _ID.fullmatch(character_id):
        raise InvalidArgumentError(
            "A character id consists of 4-63 lower-case letters, digits and hyphens and neither "
            "begins nor ends with a hyphen.",
            reason="CHARACTER_ID_INVALID",
            field="character_id",
        )


def check_expression(expression: str, field_path: str) -> None:
    """Raise `InvalidArgumentError` for an expression that there is not; empty means neutral."""
    if expression and expression not in EXPRESSIONS:
        raise InvalidArgumentError(
            f"Unknown expression {expression!r}; known are {', '.join(EXPRESSIONS)}.",
            reason="EXPRESSION_UNKNOWN",
            field=field_path,
            expression=expression,
        )


def check_metadata(display_name: str, owner: str, labels: Mapping[str, str], at: str = "") -> None:
    """Raise `InvalidArgumentError` where a name, owner or label is too long, or labels too many.

    `at` is the path of the message that holds the fields, with a closing dot.
    """
    for path, value in (("display_name", display_name), ("owner", owner)):
        if len(value) > LIMITS.max_display_name_chars:
            raise InvalidArgumentError(
                f"{path} is longer than {LIMITS.max_display_name_chars} characters.",
                reason="TEXT_TOO_LONG",
                field=at + path,
                limit=LIMITS.max_display_name_chars,
            )
    if len(labels) > LIMITS.max_labels:
        raise InvalidArgumentError(
            f"A character has at most {LIMITS.max_labels} labels.",
            reason="TOO_MANY_LABELS",
            field=at + "labels",
            limit=LIMITS.max_labels,
        )
    for key, value in labels.items():
        if not 0 < len(key) <= LIMITS.max_label_key_chars:
            raise InvalidArgumentError(
                f"A label's key has 1-{LIMITS.max_label_key_chars} characters.",
                reason="LABEL_KEY_INVALID",
                field=at + "labels",
            )
        if len(value) > LIMITS.max_label_value_chars:
            raise InvalidArgumentError(
                f"A label's value has at most {LIMITS.max_label_value_chars} characters.",
                reason="LABEL_VALUE_TOO_LONG",
                field=f"{at}labels[{key}]",
            )
