"""Characters and canvases in any file system that fsspec knows: a folder, S3, ...

Layout below the root::

    characters/{id}.json        one record a character
    requests/{key}.json         what a request with an id made, for its repetitions
    canvases/{sha256}.png       shared by all characters with these pixels
    canvases/{sha256}/{id}      empty: one of those characters. Canvases of older versions have none
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from kuchipaku_contract.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
)

from .characters import Character, RequestMark
from .files import Files

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list; `next_token` is empty on the last one."""

    characters: tuple[Character, ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class Creation:
    """A character and what its maker was told beside it."""

    character: Character
    notes: Mapping[str, Any] = field(default_factory=dict)
    """JSON-ready; a repeated request gets the same."""


class CharacterStore:
    """Keeps characters. Methods are coroutines; the file system works in threads.

    Writers within this process exclude each other; what one has begun is finished even if its
    caller goes away. Two gateways on one store may overwrite each other's update of the same
    character at the same instant; an etag sent along narrows that to the time of a write.
    """

    def __init__(self, url: str) -> None:
        """Open the store at an fsspec URL, for example ``file:///var/lib/kuchipaku``."""
        self._files = Files(url)
        self._lock = asyncio.Lock()
        self._writing: set[asyncio.Task[Any]] = set()

    async def create(
        self, new: Creation, canvas_png: bytes, request: RequestMark | None = None
    ) -> Creation:
        """Store a new character and its canvas.

        A repeated `request` answers with what the first one made. Raises what `created_by`
        raises, and `AlreadyExistsError` if the id is taken.
        """
        return await self._alone(lambda: self._create(new, canvas_png, request))

    async def created_by(self, request: RequestMark) -> Creation | None:
        """What the same request made earlier, if it did.

        Raises `InvalidArgumentError` where its id belonged to a request for something else.
        """
        return await asyncio.to_thread(self._created_by, request)

    async def check_free(self, character_id: str) -> None:
        """Raise `AlreadyExistsError` if the id is taken."""
        await asyncio.to_thread(self._check_free, character_id)

    async def get(self, character_id: str) -> Character:
        """The character of that id. Raises `NotFoundError`."""
        return await asyncio.to_thread(self._get, character_id)

    async def canvas_png(self, sha256: str) -> bytes:
        """The canvas with that hash as PNG. Raises `NotFoundError`."""
        data = await asyncio.to_thread(self._files.read, _canvas_path(sha256))
        if data is None:
            raise NotFoundError(
                "The canvas is not in the store.", reason="CANVAS_NOT_FOUND", canvas_sha256=sha256
            )
        return data

    async def list(self, *, size: int, after: str, owner: str, labels: Mapping[str, str]) -> Page:
        """Up to `size` characters with ids behind `after`, filtered, ordered by id."""
        return await asyncio.to_thread(self._list, size, after, owner, labels)

    async def update(
        self, character_id: str, change: Callable[[Character], Character], *, etag: str = ""
    ) -> Character:
        """Overwrite a character by what `change` makes of the present one.

        A non-empty `etag` must be the present one. Raises `NotFoundError`, for another etag
        `FailedPreconditionError`, and what `change` raises.
        """
        return await self._alone(lambda: self._update(character_id, change, etag))

    async def delete(self, character_id: str, *, etag: str) -> None:
        """Remove a character, and its canvas if no other character has it.

        Raises like `update`.
        """
        await self._alone(lambda: self._delete(character_id, etag))

    async def _alone(self, write: Callable[[], T]) -> T:
        """Run `write` in a thread while no other does.

        A thread cannot be cancelled. Where the caller is, the lock stays taken until its thread
        has ended, or another writer would come in between.
        """
        await self._lock.acquire()
        task = asyncio.create_task(self._write_and_release(write))
        self._writing.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def _write_and_release(self, write: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(write)
        finally:
            self._lock.release()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._writing.discard(task)
        if not task.cancelled():
            task.exception()  # taken note of, in case nobody waits for it any more

    # Everything below runs in worker threads.

    def _create(self, new: Creation, canvas_png: bytes, request: RequestMark | None) -> Creation:
        if request is not None and (earlier := self._created_by(request)):
            return earlier
        character = new.character
        self._check_free(character.character_id)
        key = request.key if request else ""
        stamped = replace(character, request_key=key).stamped(now=datetime.now(UTC), created=True)
        canvas_path = _canvas_path(stamped.canvas_sha256)
        self._claim_canvas(stamped)
        self._files.write(canvas_path, canvas_png)
        if request is not None:
            # Before the record: should we die between the two, a repetition begins anew instead
            # of finding its id taken.
            self._write_request(request, Creation(stamped, new.notes))
        self._write_record(stamped)
        if not self._files.exists(canvas_path):
            # A deletion in another gateway saw the canvas before our record was there.
            self._files.write(canvas_path, canvas_png)
        return Creation(stamped, new.notes)

    def _check_free(self, character_id: str) -> None:
        if self._files.exists(_record_path(character_id)):
            raise AlreadyExistsError(
                "A character with this id exists.",
                reason="CHARACTER_EXISTS",
                field="character_id",
                character=f"characters/{character_id}",
            )

    def _write_request(self, request: RequestMark, made: Creation) -> None:
        document = {
            "character_id": made.character.character_id,
            "content": request.content,
            "notes": made.notes,
        }
        body = json.dumps(document, ensure_ascii=False, sort_keys=True).encode()
        self._files.write(_request_path(request.key), body)

    def _created_by(self, request: RequestMark) -> Creation | None:
        data = self._files.read(_request_path(request.key))
        if data is None:
            return None
        document = _parse_request(data)
        try:
            character = self._get(document["character_id"])
        except NotFoundError:
            return None
        if character.request_key != request.key:  # the id went to somebody else since
            return None
        if document["content"] != request.content:
            raise InvalidArgumentError(
                "This request id belongs to an earlier request for something else.",
                reason="REQUEST_ID_REUSED",
                field="request_id",
                character=character.name,
            )
        return Creation(character, document["notes"])

    def _get(self, character_id: str) -> Character:
        data = self._files.read(_record_path(character_id))
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
            character = self._get_if_readable(character_id)
            if character is not None and _matches(character, owner, labels):
                found.append(character)
            if len(found) > size:
                return Page(tuple(found[:size]), found[size - 1].character_id)
        return Page(tuple(found), "")

    def _get_if_readable(self, character_id: str) -> Character | None:
        """None for one deleted since it was listed, or unreadable: others can do without it."""
        try:
            return self._get(character_id)
        except NotFoundError:
            return None
        except InternalError as error:
            _LOG.error("a record is left out", extra={"character_id": character_id}, exc_info=error)
            return None

    def _update(
        self, character_id: str, change: Callable[[Character], Character], etag: str
    ) -> Character:
        present = self._get(character_id)
        _check_etag(present, etag)
        stamped = change(present).stamped(now=datetime.now(UTC))
        self._write_record(stamped)
        return stamped

    def _delete(self, character_id: str, etag: str) -> None:
        character = self._get(character_id)
        _check_etag(character, etag)
        self._files.remove(_record_path(character_id))
        if character.request_key:
            self._files.remove(_request_path(character.request_key))
        self._release_canvas(character)

    def _claim_canvas(self, character: Character) -> None:
        """Mark a canvas as this character's, unless it is one without marks."""
        folder = _uses_folder(character.canvas_sha256)
        is_new = not self._files.exists(_canvas_path(character.canvas_sha256))
        if is_new or self._files.has_any(folder):
            self._files.write(f"{folder}/{character.character_id}", b"")

    def _release_canvas(self, character: Character) -> None:
        """Remove the canvas of a character that is gone, if it was the last that had it."""
        sha256 = character.canvas_sha256
        folder = _uses_folder(sha256)
        mark = f"{folder}/{character.character_id}"
        if self._files.exists(mark):
            self._files.remove(mark)
            # A creation that was cut short leaves a mark without a record.
            marks = self._files.names(folder, "")
            in_use = any(self._files.exists(_record_path(other)) for other in marks)
        else:
            in_use = self._is_named_by_a_record(sha256)
        if not in_use:
            self._files.remove_folder(folder)
            self._files.remove(_canvas_path(sha256))

    def _is_named_by_a_record(self, canvas_sha256: str) -> bool:
        for character_id in self._ids(""):
            try:
                if self._get(character_id).canvas_sha256 == canvas_sha256:
                    return True
            except NotFoundError:
                continue
            except InternalError:
                return True  # an unreadable record may name any canvas
        return False

    def _ids(self, after: str) -> Iterator[str]:
        names = self._files.names("characters", ".json")
        return (character_id for character_id in names if character_id > after)

    def _write_record(self, character: Character) -> None:
        body = json.dumps(character.to_json(), ensure_ascii=False, sort_keys=True).encode()
        self._files.write(_record_path(character.character_id), body)


def _record_path(character_id: str) -> str:
    return f"characters/{character_id}.json"


def _canvas_path(sha256: str) -> str:
    return f"canvases/{sha256}.png"


def _uses_folder(sha256: str) -> str:
    return f"canvases/{sha256}"


def _request_path(key: str) -> str:
    return f"requests/{key}.json"


def _parse_record(data: bytes, character_id: str) -> Character:
    try:
        return Character.from_json(json.loads(data))
    except (ValueError, TypeError, KeyError) as error:
        raise InternalError(
            "The character's record cannot be read.",
            reason="CHARACTER_RECORD_CORRUPT",
            character=f"characters/{character_id}",
        ) from error


def _parse_request(data: bytes) -> dict[str, Any]:
    try:
        document = json.loads(data)
        return {key: document[key] for key in ("character_id", "content", "notes")}
    except (ValueError, TypeError, KeyError) as error:
        raise InternalError(
            "The record of an earlier request cannot be read.", reason="REQUEST_RECORD_CORRUPT"
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
