from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_pose.engine import Memo


def fill(memo: Memo[str], key: str, size: int = 1) -> None:
    assert memo.claim(key).claimed
    memo.publish(key, key.upper(), size)


def test_the_first_to_ask_computes_and_the_others_wait() -> None:
    memo: Memo[str] = Memo(10)
    assert memo.claim("a").claimed
    later = memo.claim("a")
    assert not later.claimed
    assert later.pending is not None
    memo.publish("a", "A", 1)
    assert later.pending.result(timeout=0) == "A"
    assert memo.claim("a").value == "A"


def test_an_abandoned_claim_fails_those_who_wait_and_can_be_made_again() -> None:
    memo: Memo[str] = Memo(10)
    memo.claim("a")
    pending = memo.claim("a").pending
    assert pending is not None
    memo.abandon("a", ValueError("broken"))
    with pytest.raises(ValueError, match="broken"):
        pending.result(timeout=0)
    assert memo.claim("a").claimed


def test_the_least_recently_used_leaves_first() -> None:
    memo: Memo[str] = Memo(3)
    for key in "abc":
        fill(memo, key)
    assert memo.get("a") == "A"
    fill(memo, "d")
    assert memo.get("b") is None
    assert [memo.get(key) for key in "acd"] == ["A", "C", "D"]


def test_what_is_larger_than_the_memory_is_handed_on_and_not_kept() -> None:
    memo: Memo[str] = Memo(3)
    fill(memo, "a")
    assert memo.claim("huge").claimed
    waiting = memo.claim("huge").pending
    memo.publish("huge", "HUGE", 4)
    assert waiting is not None
    assert waiting.result(timeout=0) == "HUGE"
    assert memo.get("huge") is None
    assert memo.get("a") == "A"


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 5)), max_size=60))
def test_the_bound_holds_and_the_count_is_right(uses: list[tuple[str, int]]) -> None:
    memo: Memo[str] = Memo(7)
    sizes: dict[str, int] = {}
    for key, size in uses:
        if memo.claim(key).claimed:
            memo.publish(key, key, size)
            sizes[key] = size
    kept = [key for key in sizes if memo.get(key) is not None]
    statistics = memo.statistics()
    assert statistics.nbytes == sum(sizes[key] for key in kept) <= 7
    assert statistics.entries == len(kept)


def test_clearing_forgets_values_and_keeps_claims() -> None:
    memo: Memo[str] = Memo(10)
    fill(memo, "a")
    memo.claim("b")
    memo.clear()
    assert memo.get("a") is None
    memo.publish("b", "B", 1)
    assert memo.statistics().nbytes == 1
