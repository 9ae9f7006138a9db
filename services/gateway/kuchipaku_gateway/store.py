"""Characters and canvases in any file system that fsspec knows: a folder, S3, ...

Layout below the root::

    characters/{id}.json        one record a character
    requests/{request id}.json  the character that a request made, for repeated requests
    canvases/{sha256}.png       shared by all characters with these pixels
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import fsspec

from kuchipaku_contract.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
)

from .characters import Character


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list; `next_token` is empty on the last one."""

    characters: tuple[Character, ...]
    next_token: str


class CharacterStore:
    """Keeps characters. Methods are coroutines; the file system works in threads.

    Writers within this process exclude each other. Two gateways on one store may overwrite each
    other's update of the same character at the same instant; an etag sent along narrows that to
    the time of a write.
    """

    def __init__(self, url: str) -> None:
        """Open the store at an fsspec URL, for example ``file:///var/lib/kuchipaku``."""
        self._fs, root = fsspec.core.url_to_fs(url, auto_mkdir=True)
        self._root = root.rstrip("/")
        self._lock = asyncio.Lock()

    async def create(self, character: Character, canvas_png: bytes) -> Character:
        """Store a new character and its canvas.

        A repeated `request_id` answers with the character that the first request made.
        Raises `AlreadyExistsError` if the id is taken.
        """
        async with self._lock:
            return await asyncio.to_thread(self._create, character, canvas_png)

    async def created_by(self, request_id: str) -> Character | None:
        """The character that a request made earlier, if any."""
        if not request_id:
            return None
        return await asyncio.to_thread(self._created_by, request_id)

    async def get(self, character_id: str) -> Character:
        """The character of that id. Raises `NotFoundError`."""
        return await asyncio.to_thread(self._get, character_id)

    async def canvas_png(self, sha256: str) -> bytes:
        """The canvas with that hash as PNG. Raises `NotFoundError`."""
        data = await asyncio.to_thread(self._read, self._canvas_path(sha256))
        if data is None:
            raise NotFoundError(
                "The canvas is not in the store.", reason="CANVAS_NOT_FOUND", canvas_sha256=sha256
            )
        return data

    async def list(self, *, size: int, after: str, owner: str, labels: Mapping[str, str]) -> Page:
        """Up to `size` characters with ids behind `after`, filtered, ordered by id."""
        return await asyncio.to_thread(self._list, size, after, owner, labels)

    async def update(self, changed: Character, *, etag: str) -> Character:
        """Overwrite a character; a non-empty `etag` must be the present one.

        Raises `NotFoundError` and, for another etag, `FailedPreconditionError`.
        """
        async with self._lock:
            present = await asyncio.to_thread(self._get, changed.character_id)
            _check_etag(present, etag)
            stamped = changed.stamped(now=datetime.now(UTC))
            await asyncio.to_thread(self._write_record, stamped)
            return stamped

    async def delete(self, character_id: str, *, etag: str) -> None:
        """Remove a character, and its canvas if no other character has it.

        Raises like `update`.
        """
        async with self._lock:
            await asyncio.to_thread(self._delete, character_id, etag)

    # Everything below runs in worker threads.

    def _create(self, character: Character, canvas_png: bytes) -> Character:
        if character.request_id and (earlier := self._created_by(character.request_id)):
            return earlier
        if self._fs.exists(self._record_path(character.character_id)):
            raise AlreadyExistsError(
                "A character with this id exists.",
                reason="CHARACTER_EXISTS",
                field="character_id",
                character=character.name,
            )
        stamped = character.stamped(now=datetime.now(UTC), created=True)
        canvas_path = self._canvas_path(stamped.canvas_sha256)
        self._write(canvas_path, canvas_png)
        self._write_record(stamped)
        if not self._fs.exists(canvas_path):
            # A deletion in another gateway saw the canvas before our record was there.
            self._write(canvas_path, canvas_png)
        if stamped.request_id:
            body = json.dumps({"character_id": stamped.character_id}).encode()
            self._write(self._request_path(stamped.request_id), body)
        return stamped

    def _created_by(self, request_id: str) -> Character | None:
        data = self._read(self._request_path(request_id))
        if data is None:
            return None
        try:
            return self._get(json.loads(data)["character_id"])
        except NotFoundError:
            return None

    def _get(self, character_id: str) -> Character:
        data = self._read(self._record_path(character_id))
        if data is None:
            raise NotFoundError(
                "There is no such character.",
                reason="CHARACTER_NOT_FOUND",
                character=f"characters/{character_id}",
            )
        return _parse_record(data, character_id)

    def _list(self, size: int, after: str, owner: str, labels: Mapping[str, str]) -> Page:
        found: list[Character] = []
        for character_id in self._ids(after):
            # Deleted between the listing and the reading.
            with suppress(NotFoundError):
                character = self._get(character_id)
                if _matches(character, owner, labels):
                    found.append(character)
            if len(found) > size:
                return Page(tuple(found[:size]), found[size - 1].character_id)
        return Page(tuple(found), "")

    def _delete(self, character_id: str, etag: str) -> None:
        character = self._get(character_id)
        _check_etag(character, etag)
        self._fs.rm_file(self._record_path(character_id))
        if character.request_id:
            with suppress(FileNotFoundError):
                self._fs.rm_file(self._request_path(character.request_id))
        if not self._in_use(character.canvas_sha256):
            with suppress(FileNotFoundError):
                self._fs.rm_file(self._canvas_path(character.canvas_sha256))

    def _in_use(self, canvas_sha256: str) -> bool:
        for character_id in self._ids(""):
            with suppress(NotFoundError):
                if self._get(character_id).canvas_sha256 == canvas_sha256:
                    return True
        return False

    def _ids(self, after: str) -> Iterator[str]:
        try:
            paths = self._fs.ls(f"{self._root}/characters", detail=False)
        except FileNotFoundError:
            return
        ids = (path.rsplit("/", 1)[-1].removesuffix(".json") for path in paths)
        yield from sorted(character_id for character_id in ids if character_id > after)

    def _write_record(self, character: Character) -> None:
        body = json.dumps(character.to_json(), ensure_ascii=False, sort_keys=True).encode()
        self._write(self._record_path(character.character_id), body)

    def _write(self, path: str, data: bytes) -> None:
        # Written aside and moved, so that a reader never sees half a file.
        with self._fs.transaction, self._fs.open(path, "wb") as file:
            file.write(data)

    def _read(self, path: str) -> bytes | None:
        self._fs.invalidate_cache(path)
        try:
            data: Any = self._fs.cat_file(path)
        except FileNotFoundError:
            return None
        return bytes(data)

    def _record_path(self, character_id: str) -> str:
        return f"{self._root}/characters/{character_id}.json"

    def _canvas_path(self, sha256: str) -> str:
        return f"{self._root}/canvases/{sha256}.png"

    def _request_path(self, request_id: str) -> str:
        # Callers choose request ids; a hash keeps them from choosing paths.
        return f"{self._root}/requests/{hashlib.sha256(request_id.encode()).hexdigest()}.json"


def _parse_record(data: bytes, character_id: str) -> Character:
    try:
        return Character.from_json(json.loads(data))
    except (ValueError, TypeError, KeyError) as error:
        raise InternalError(
            "The character's record cannot be read.",
            reason="CHARACTER_RECORD_CORRUPT",
            character=f"characters/{character_id}",
        ) from error


def _check_etag(character: Character, etag: str) -> None:
    if etag and etag != character.etag:
        raise FailedPreconditionError(
            "The character has changed since it was read.",
            reason="ETAG_MISMATCH",
            field="etag",
            character=character.name,
        )


def _matches(character: Character, owner: str, labels: Mapping[str, str]) -> bool:
    if owner and character.owner != owner:
        return False
    return all(character.labels.get(key) == value for key, value in labels.items())


def parse_page_token(token: str) -> str:
    """The id that a page token stands for. Raises `InvalidArgumentError`."""
    try:
        return bytes.fromhex(token).decode("ascii")
    except ValueError as error:
        raise InvalidArgumentError(
            "The page token is not one of this service's.",
            reason="PAGE_TOKEN_INVALID",
            field="page_token",
        ) from error


def page_token(character_id: str) -> str:
    """The token for the page behind this character."""
    return character_id.encode("ascii").hex()
