from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kuchipaku_lipsync.phones import Phone, PhoneSegment, clipped, parse_phone, recognised_phone


def test_phones_are_read_in_any_case_with_or_without_stress() -> None:
    assert parse_phone("aa1") is Phone.AA
    assert parse_phone("Schwa") is Phone.SCHWA
    assert parse_phone("+BREATH+") is Phone.BREATH


def test_what_is_no_phone_is_noise() -> None:
    assert parse_phone("SIL") is Phone.NOISE
    assert parse_phone("") is Phone.NOISE


def test_short_ah_is_a_schwa() -> None:
    assert recognised_phone("AH", 10, 15).phone is Phone.SCHWA
    assert recognised_phone("AH", 10, 16).phone is Phone.AH


@given(
    st.lists(
        st.builds(
            PhoneSegment, st.integers(-20, 120), st.integers(-20, 120), st.sampled_from(Phone)
        )
    )
)
def test_clipped_phones_are_sorted_apart_and_inside(phones: list[PhoneSegment]) -> None:
    result = clipped(phones, 0, 100)
    cursor = 0
    for phone in result:
        assert cursor <= phone.start_cs < phone.end_cs <= 100
        cursor = phone.end_cs
