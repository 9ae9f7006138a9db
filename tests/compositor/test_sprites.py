from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_compositor.sprites import SheetOptions, SpritePacker, pack
from kuchipaku_contract.errors import InvalidArgumentError
from kuchipaku_media.picture import decode_picture
from tests.compositor.films import disc

SIZES = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=40)


@given(
    sizes=SIZES, padding=st.integers(0, 5), power_of_two=st.booleans(), limit=st.integers(64, 300)
)
def test_nothing_overlaps_and_nothing_is_lost(sizes, padding, power_of_two, limit):
    pages = pack(sizes, limit, padding=padding, power_of_two=power_of_two)
    placed = []
    for page in pages:
        assert max(page.width, page.height) <= limit
        if power_of_two:
            assert page.width & (page.width - 1) == page.height & (page.height - 1) == 0
        taken = np.zeros((page.height + padding, page.width + padding), bool)
        for place in page.places:
            width, height = sizes[place.index]
            assert place.x + width <= page.width
            assert place.y + height <= page.height
            spot = taken[place.y : place.y + height + padding, place.x : place.x + width + padding]
            assert not spot[:height, :width].any()
            spot[:] = True
            placed.append(place.index)
    assert sorted(placed) == list(range(len(sizes)))


def test_packing_is_dense():
    sizes = [(40, 40)] * 16
    [page] = pack(sizes, 4096)
    assert page.width * page.height <= 1.15 * 16 * 1600
    [page] = pack([(64, 64)] * 4, 4096, power_of_two=True)
    assert page.width * page.height == 128 * 128


def files_of(packer: SpritePacker) -> dict[str, bytes]:
    return {file.name: file.data for file in packer.files()}


@pytest.mark.parametrize("trim", [True, False])
def test_sprites_come_back_from_their_sheets(trim):
    packer = SpritePacker(SheetOptions(max_side=256, trim=trim, padding=2))
    sources = {f"talk/{shift}": disc(shift) for shift in range(0, 60, 6)}
    for name, pixels in sources.items():
        packer.add(name, pixels, tag="talk", duration_s=0.04)
    files = files_of(packer)
    description = json.loads(files.pop("sprites.json"))
    assert packer.sheet_count == len(files) == len(description["meta"]["images"])
    sheets = {name: decode_picture(data, min_side_px=1) for name, data in files.items()}
    assert len(description["frames"]) == packer.sprite_count == 10
    for entry in description["frames"]:
        sheet = sheets[entry.get("image", "sheet-0.png")]
        x, y, w, h = (entry["frame"][key] for key in "xywh")
        left, top = entry["spriteSourceSize"]["x"], entry["spriteSourceSize"]["y"]
        source = sources[entry["filename"]]
        rebuilt = np.zeros_like(source)
        rebuilt[top : top + h, left : left + w] = sheet[y : y + h, x : x + w]
        np.testing.assert_array_equal(rebuilt, source)
        assert entry["trimmed"] is trim
        assert entry["duration"] == 40


def test_tags_are_ranges_and_equal_pictures_are_stored_once():
    packer = SpritePacker(SheetOptions())
    for name, tag in [("a", "x"), ("b", "y"), ("c", "x"), ("d", "")]:
        packer.add(name, disc(), tag=tag)
    files = files_of(packer)
    description = json.loads(files["sprites.json"])
    assert [frame["filename"] for frame in description["frames"]] == ["a", "c", "b", "d"]
    assert description["meta"]["frameTags"] == [
        {"name": "x", "from": 0, "to": 1, "direction": "forward"},
        {"name": "y", "from": 2, "to": 2, "direction": "forward"},
    ]
    assert description["meta"]["size"] == {"w": 96, "h": 80}
    assert len({json.dumps(frame["frame"]) for frame in description["frames"]}) == 1


def test_an_invisible_sprite_is_one_pixel():
    packer = SpritePacker(SheetOptions(trim=True))
    packer.add("nothing", np.zeros((64, 64, 4), np.uint8))
    frame = json.loads(files_of(packer)["sprites.json"])["frames"][0]
    assert (frame["frame"]["w"], frame["frame"]["h"]) == (1, 1)
    assert frame["sourceSize"] == {"w": 64, "h": 64}


@pytest.mark.parametrize(
    ("name", "duration_s", "reason"),
    [
        ("", 0.0, "SPRITE_NAME_MISSING"),
        ("taken", 0.0, "SPRITE_NAME_TWICE"),
        ("new", -1.0, "SPRITE_DURATION_NEGATIVE"),
    ],
)
def test_bad_sprites_are_refused(name, duration_s, reason):
    packer = SpritePacker(SheetOptions())
    packer.add("taken", disc())
    with pytest.raises(InvalidArgumentError) as caught:
        packer.add(name, disc(), duration_s=duration_s)
    assert caught.value.reason == reason


def test_too_large_and_none_are_refused():
    with pytest.raises(InvalidArgumentError) as caught:
        files_of(SpritePacker(SheetOptions()))
    assert caught.value.reason == "SPRITES_MISSING"
    packer = SpritePacker(SheetOptions(max_side=64))
    packer.add("large", disc())
    with pytest.raises(InvalidArgumentError) as caught:
        files_of(packer)
    assert caught.value.reason == "SPRITE_TOO_LARGE"
