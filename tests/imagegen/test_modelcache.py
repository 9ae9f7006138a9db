"""Models are kept while there is room."""

from __future__ import annotations

import threading

import pytest

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_imagegen.modelcache import ModelCache


def _use(cache: ModelCache, name: str, size: int, loads: list[str]) -> None:
    def load() -> str:
        loads.append(name)
        return name

    with cache.use(name, size, load) as model:
        assert model == name


def test_the_longest_unused_go_first() -> None:
    cache, loads = ModelCache(100), list[str]()
    for name in ("a", "b", "a", "c"):
        _use(cache, name, 45, loads)
    assert loads == ["a", "b", "c"]
    assert cache.names == ["a", "c"]
    _use(cache, "b", 45, loads)
    assert cache.names == ["c", "b"]


def test_a_model_that_never_fits_is_refused() -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        _use(ModelCache(100), "huge", 101, [])
    assert caught.value.reason == "MODEL_TOO_LARGE"


def test_a_failed_load_leaves_nothing_behind() -> None:
    cache = ModelCache(100)

    def fail() -> str:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"), cache.use("a", 60, fail):
        pass
    assert cache.names == []
    _use(cache, "b", 60, [])


def test_a_model_in_use_stays_and_others_wait_for_its_room() -> None:
    cache, loads = ModelCache(100), list[str]()
    done = threading.Event()

    def later() -> None:
        _use(cache, "b", 60, loads)
        done.set()

    with cache.use("a", 60, lambda: "a"):
        thread = threading.Thread(target=later)
        thread.start()
        assert not done.wait(0.1)
        assert cache.names == ["a"]
    thread.join(10)
    assert cache.names == ["b"]
