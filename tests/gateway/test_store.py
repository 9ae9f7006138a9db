"""The character store, on a folder and in memory."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_contract.errors import (
    AlreadyExistsError,
    FailedPreconditionError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
)
from kuchipaku_gateway.characters import (
    Character,
    Origin,
    RequestMark,
    check_metadata,
    new_id,
    parse_name,
)
from kuchipaku_gateway.files import Files
from kuchipaku_gateway.settings import GatewaySettings
from kuchipaku_gateway.store import CharacterStore, Creation, page_token, parse_page_token


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CharacterStore]:
    if request.param == "folder":
        yield CharacterStore(tmp_path.as_uri())
    else:
        yield CharacterStore("memory://characters-test")
        fsspec.filesystem("memory").store.clear()


def _character(character_id: str = "abcd", **fields: Any) -> Character:
    return Character(**{"character_id": character_id, "canvas_sha256": "f" * 64, **fields})


async def _create(store: CharacterStore, character: Character, png: bytes = b"png") -> Character:
    return (await store.create(Creation(character), png)).character


async def test_what_is_created_can_be_read(store: CharacterStore) -> None:
    sent = _character(
        display_name="Momo", owner="studio", labels={"game": "one"}, origin=Origin("girl", 7, "m")
    )
    created = await _create(store, sent)
    assert await store.get("abcd") == created
    assert created.etag
    assert created.create_time == created.update_time
    assert await store.canvas_png("f" * 64) == b"png"


async def test_an_id_is_taken_once(store: CharacterStore) -> None:
    await _create(store, _character())
    with pytest.raises(AlreadyExistsError) as caught:
        await _create(store, _character())
    assert caught.value.field == "character_id"


async def test_a_repeated_request_makes_no_second_character(store: CharacterStore) -> None:
    mark = RequestMark.of("studio", "../../etc", b"girl")
    notes = {"ignoredPhrases": ["zorblax"]}
    first = await store.create(Creation(_character("first"), notes), b"png", mark)
    second = await store.create(Creation(_character("second")), b"png", mark)
    assert second == first
    assert second.notes == notes
    assert await store.created_by(mark) == first
    with pytest.raises(NotFoundError):
        await store.get("second")


async def test_a_request_id_stands_for_one_content(store: CharacterStore) -> None:
    first = RequestMark.of("studio", "one", b"girl")
    other = RequestMark.of("studio", "one", b"boy")
    await store.create(Creation(_character("first")), b"png", first)
    for refused in (
        store.created_by(other),
        store.create(Creation(_character("second")), b"png", other),
    ):
        with pytest.raises(InvalidArgumentError) as caught:
            await refused
        assert caught.value.reason == "REQUEST_ID_REUSED"
        assert caught.value.field == "request_id"


async def test_request_ids_are_an_owners_own(store: CharacterStore) -> None:
    await store.create(
        Creation(_character("first")), b"png", RequestMark.of("studio", "one", b"girl")
    )
    theirs = RequestMark.of("rival", "one", b"boy")
    assert await store.created_by(theirs) is None
    made = await store.create(Creation(_character("second")), b"png", theirs)
    assert made.character.character_id == "second"


async def test_a_deleted_character_frees_its_request(store: CharacterStore) -> None:
    mark = RequestMark.of("studio", "one", b"girl")
    await store.create(Creation(_character()), b"png", mark)
    await store.delete("abcd", etag="")
    assert await store.created_by(mark) is None
    again = await store.create(Creation(_character()), b"png", mark)
    assert await store.created_by(mark) == again


async def test_a_creation_cut_short_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash at every one of its writes."""
    mark = RequestMark.of("studio", "one", b"girl")
    write = Files.write
    for writes in range(3):
        store = CharacterStore((tmp_path / str(writes)).as_uri())
        done: list[str] = []

        def dies(self: Files, path: str, data: bytes, done: list[str] = done) -> None:
            if len(done) == writes:  # noqa: B023 - used within the round
                raise OSError("the power is gone")
            write(self, path, data)
            done.append(path)

        with monkeypatch.context() as patch:
            patch.setattr(Files, "write", dies)
            with pytest.raises(OSError, match="power"):
                await store.create(Creation(_character()), b"png", mark)
        made = await store.create(Creation(_character()), b"png", mark)
        assert await store.created_by(mark) == made


async def test_an_update_needs_the_present_etag(store: CharacterStore) -> None:
    created = await _create(store, _character(display_name="old"))
    updated = await store.update(
        "abcd", lambda present: replace(present, display_name="new"), etag=created.etag
    )
    assert updated.display_name == "new"
    assert updated.etag != created.etag
    with pytest.raises(FailedPreconditionError):
        await store.update(
            "abcd", lambda present: replace(present, display_name="late"), etag=created.etag
        )
    assert (await store.get("abcd")).display_name == "new"


async def test_updates_at_the_same_time_all_count(store: CharacterStore) -> None:
    await _create(store, _character())

    def label(number: int) -> Any:
        return lambda present: replace(present, labels={**present.labels, str(number): "set"})

    await asyncio.gather(*(store.update("abcd", label(number)) for number in range(12)))
    assert (await store.get("abcd")).labels == {str(number): "set" for number in range(12)}


async def test_a_cancelled_writer_keeps_others_out_until_its_thread_has_ended(
    store: CharacterStore,
) -> None:
    await _create(store, _character())
    entered, leave = threading.Event(), threading.Event()

    def slow(present: Character) -> Character:
        entered.set()
        leave.wait(10)
        return replace(present, labels={**present.labels, "first": "set"})

    first = asyncio.create_task(store.update("abcd", slow))
    await asyncio.to_thread(entered.wait, 10)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(
        store.update(
            "abcd", lambda present: replace(present, labels={**present.labels, "second": "set"})
        )
    )
    done, _ = await asyncio.wait({second}, timeout=0.2)
    assert not done
    leave.set()
    assert (await second).labels == {"first": "set", "second": "set"}


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    files = Files(tmp_path.as_uri())
    files.write("characters/one.json", b"x" * 100_000)
    with (tmp_path / "characters/one.json").open("rb") as reader:
        files.write("characters/one.json", b"new")
        # The old file is still there for who has it open: it was not written over.
        assert reader.read() == b"x" * 100_000
    assert files.read("characters/one.json") == b"new"
    assert [path.name for path in (tmp_path / "characters").iterdir()] == ["one.json"]


def test_half_written_files_are_not_listed(tmp_path: Path) -> None:
    files = Files(tmp_path.as_uri())
    files.write("characters/one.json", b"{}")
    (tmp_path / "characters/.two.json.0a1b2c3d.partial").write_bytes(b"{")
    assert list(files.names("characters", ".json")) == ["one"]


async def test_a_canvas_lives_as_long_as_someone_has_it(store: CharacterStore) -> None:
    await _create(store, _character("first"))
    await _create(store, _character("second"))
    await store.delete("first", etag="")
    assert await store.canvas_png("f" * 64) == b"png"
    await store.delete("second", etag="")
    with pytest.raises(NotFoundError):
        await store.canvas_png("f" * 64)
    with pytest.raises(NotFoundError):
        await store.delete("second", etag="")


async def test_records_of_a_later_version_can_be_read(store: CharacterStore) -> None:
    document = _character(origin=Origin("girl", 7, "m")).to_json()
    document["voice"] = {"speaker": 3}
    document["origin"]["steps"] = 8
    assert Character.from_json(document).origin == Origin("girl", 7, "m")


async def test_an_unreadable_record_spoils_no_other(tmp_path: Path) -> None:
    store = CharacterStore(tmp_path.as_uri())
    await _create(store, _character("first"))
    (tmp_path / "characters/broken.json").write_bytes(b"{")
    page = await store.list(size=3, after="", owner="", labels={})
    assert [character.character_id for character in page.characters] == ["first"]
    await store.delete("first", etag="")
    with pytest.raises(InternalError):
        await store.get("broken")


async def test_deleting_reads_no_other_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CharacterStore(tmp_path.as_uri())
    for number in range(4):
        await _create(store, _character(f"char-{number}", canvas_sha256=str(number % 2) * 64))
    seen: list[str] = []
    read = Files.read

    def noted(self: Files, path: str) -> bytes | None:
        seen.append(path)
        return read(self, path)

    monkeypatch.setattr(Files, "read", noted)
    await store.delete("char-0", etag="")
    await store.delete("char-2", etag="")
    assert set(seen) == {"characters/char-0.json", "characters/char-2.json"}
    assert [path.name for path in (tmp_path / "canvases").glob("*.png")] == ["1" * 64 + ".png"]
    assert not (tmp_path / "canvases" / ("0" * 64)).exists()


async def test_a_canvas_from_before_there_were_marks_is_kept_for_its_characters(
    tmp_path: Path,
) -> None:
    store = CharacterStore(tmp_path.as_uri())
    await _create(store, _character("first"))
    (tmp_path / "canvases" / ("f" * 64) / "first").unlink()
    await _create(store, _character("second"))
    await store.delete("second", etag="")
    assert await store.canvas_png("f" * 64) == b"png"
    (tmp_path / "characters/broken.json").write_bytes(b"{")
    await store.delete("first", etag="")
    # Who knows what the unreadable one has.
    assert await store.canvas_png("f" * 64) == b"png"


async def test_the_mark_of_a_creation_cut_short_keeps_nothing(tmp_path: Path) -> None:
    store = CharacterStore(tmp_path.as_uri())
    await _create(store, _character("first"))
    (tmp_path / "canvases" / ("f" * 64) / "never").touch()
    await store.delete("first", etag="")
    assert not list((tmp_path / "canvases").iterdir())


@pytest.mark.parametrize("name", ["My Projects", "プロジェクト", "50%20"])
async def test_the_store_lies_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    await _create(CharacterStore(GatewaySettings().store_url), _character())
    assert (tmp_path / name / "kuchipaku-data/characters/abcd.json").is_file()


async def test_lists_are_ordered_filtered_and_paged(store: CharacterStore) -> None:
    for number in range(7):
        owner = "even" if number % 2 == 0 else "odd"
        labels = {"third": str(number % 3)}
        await _create(store, _character(f"char-{number}", owner=owner, labels=labels))
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
