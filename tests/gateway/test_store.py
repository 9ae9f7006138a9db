"""The character store, on a folder and in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_contract.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
)
from kuchipaku_gateway.characters import Character, Origin, check_metadata, new_id, parse_name
from kuchipaku_gateway.store import CharacterStore, page_token, parse_page_token


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CharacterStore]:
    if request.param == "folder":
        yield CharacterStore(tmp_path.as_uri())
    else:
        yield CharacterStore("memory://characters-test")
        fsspec.filesystem("memory").store.clear()


def _character(character_id: str = "abcd", **fields: object) -> Character:
    return Character(character_id=character_id, canvas_sha256="f" * 64, **fields)  # type: ignore[arg-type]


async def test_what_is_created_can_be_read(store: CharacterStore) -> None:
    sent = _character(
        display_name="Momo", owner="studio", labels={"game": "one"}, origin=Origin("girl", 7, "m")
    )
    created = await store.create(sent, b"png")
    assert await store.get("abcd") == created
    assert created.etag
    assert created.create_time == created.update_time
    assert await store.canvas_png("f" * 64) == b"png"


async def test_an_id_is_taken_once(store: CharacterStore) -> None:
    await store.create(_character(), b"png")
    with pytest.raises(AlreadyExistsError) as caught:
        await store.create(_character(), b"png")
    assert caught.value.field == "character_id"


async def test_a_repeated_request_makes_no_second_character(store: CharacterStore) -> None:
    first = await store.create(_character("first", request_id="../../etc"), b"png")
    second = await store.create(_character("second", request_id="../../etc"), b"png")
    assert second == first
    assert await store.created_by("../../etc") == first
    with pytest.raises(NotFoundError):
        await store.get("second")


async def test_an_update_needs_the_present_etag(store: CharacterStore) -> None:
    created = await store.create(_character(display_name="old"), b"png")
    updated = await store.update(_character(display_name="new"), etag=created.etag)
    assert updated.display_name == "new"
    assert updated.etag != created.etag
    with pytest.raises(FailedPreconditionError):
        await store.update(_character(display_name="late"), etag=created.etag)
    assert (await store.get("abcd")).display_name == "new"


async def test_a_canvas_lives_as_long_as_someone_has_it(store: CharacterStore) -> None:
    await store.create(_character("first"), b"png")
    await store.create(_character("second"), b"png")
    await store.delete("first", etag="")
    assert await store.canvas_png("f" * 64) == b"png"
    await store.delete("second", etag="")
    with pytest.raises(NotFoundError):
        await store.canvas_png("f" * 64)
    with pytest.raises(NotFoundError):
        await store.delete("second", etag="")


async def test_lists_are_ordered_filtered_and_paged(store: CharacterStore) -> None:
    for number in range(7):
        owner = "even" if number % 2 == 0 else "odd"
        labels = {"third": str(number % 3)}
        await store.create(_character(f"char-{number}", owner=owner, labels=labels), b"png")
    seen: list[str] = []
    after = ""
    while True:
        page = await store.list(size=3, after=after, owner="", labels={})
        seen += [character.character_id for character in page.characters]
        after = page.next_token
        if not after:
            break
    assert seen == [f"char-{number}" for number in range(7)]
    page = await store.list(size=9, after="", owner="even", labels={"third": "0"})
    assert [character.character_id for character in page.characters] == ["char-0", "char-6"]


async def test_an_empty_store_has_an_empty_page(store: CharacterStore) -> None:
    page = await store.list(size=3, after="", owner="", labels={})
    assert page.characters == ()
    assert page.next_token == ""


def test_ids_made_up_by_the_service_are_valid_names() -> None:
    for _ in range(50):
        character_id = new_id()
        assert parse_name(f"characters/{character_id}") == character_id


@given(st.text(max_size=80))
def test_names_never_reach_outside_the_store(name: str) -> None:
    character_id = ""
    with suppress(InvalidArgumentError):
        character_id = parse_name(name)
    assert set(character_id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


@given(st.from_regex(r"[a-z0-9-]{4,63}", fullmatch=True))
def test_page_tokens_come_back(character_id: str) -> None:
    assert parse_page_token(page_token(character_id)) == character_id


def test_a_foreign_page_token_is_refused() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_page_token("not-hex")
    assert caught.value.field == "page_token"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"display_name": "x" * 129}, "display_name"),
        ({"owner": "x" * 129}, "owner"),
        ({"labels": {str(n): "" for n in range(33)}}, "labels"),
        ({"labels": {"": "value"}}, "labels"),
        ({"labels": {"key": "x" * 256}}, "labels[key]"),
    ],
)
def test_metadata_is_limited(fields: dict[str, object], field: str) -> None:
    values = {"display_name": "", "owner": "", "labels": {}, **fields}
    with pytest.raises(InvalidArgumentError) as caught:
        check_metadata(**values)  # type: ignore[arg-type]
    assert caught.value.field == field
