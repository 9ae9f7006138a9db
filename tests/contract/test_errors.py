from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuchipaku_contract import (
    InternalError,
    InvalidArgumentError,
    KuchipakuError,
    ResourceExhaustedError,
    StatusCode,
    UnavailableError,
    error_class_for,
    restore_error,
)
from kuchipaku_contract import errors as errors_module

CLASSES = [
    cls
    for cls in vars(errors_module).values()
    if isinstance(cls, type)
    and issubclass(cls, KuchipakuError)
    and not cls.__name__.startswith("_")
    and cls is not KuchipakuError
]


def test_an_error_keeps_what_it_was_given():
    error = InvalidArgumentError(
        "The audio lasts 700 s.", reason="AUDIO_TOO_LONG", field="audio", limit_s=600
    )

    assert str(error) == error.message == "The audio lasts 700 s."
    assert error.code == StatusCode.INVALID_ARGUMENT
    assert error.reason == "AUDIO_TOO_LONG"
    assert error.field == "audio"
    assert error.metadata == {"limit_s": "600"}
    assert error.retry_after_s is None


def test_every_class_stands_for_a_code_of_its_own():
    codes = [cls.code for cls in CLASSES]

    assert len(CLASSES) == 13
    assert len(set(codes)) == len(codes)
    assert all(error_class_for(cls.code) is cls for cls in CLASSES)


@pytest.mark.parametrize("code", [StatusCode.UNKNOWN, StatusCode.DATA_LOSS, StatusCode.ABORTED])
def test_codes_without_a_class_are_internal(code):
    assert error_class_for(code) is InternalError


@pytest.mark.parametrize("cls", CLASSES)
def test_the_reason_defaults_to_the_code(cls):
    assert cls("x").reason == cls.code.value


@pytest.mark.parametrize("reason", ["lower", "A", "WITH SPACE", "A" * 64, "_A", "A_", "Ä_B"])
def test_a_reason_is_upper_snake_case(reason):
    with pytest.raises(ValueError, match="UPPER_SNAKE_CASE"):
        InvalidArgumentError("x", reason=reason)


@pytest.mark.parametrize("cls", [ResourceExhaustedError, UnavailableError])
def test_passing_errors_say_when_to_come_back(cls):
    assert cls("x").retry_after_s == 1.0
    assert cls("x", retry_after_s=None).retry_after_s is None
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="retry_after_s"):
            cls("x", retry_after_s=wrong)


@settings(deadline=None)
@given(
    cls=st.sampled_from(CLASSES),
    message=st.text(),
    reason=st.from_regex(r"[A-Z][A-Z0-9_]{0,61}[A-Z0-9]", fullmatch=True),
    field=st.none() | st.text(),
    wait=st.none() | st.floats(0, 1e6),
    metadata=st.dictionaries(st.text(), st.text()),
)
def test_errors_survive_pickling(cls, message, reason, field, wait, metadata):
    error = restore_error(
        cls, message, reason=reason, field=field, retry_after_s=wait, metadata=metadata
    )

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is cls
    assert vars(copy) == vars(error)
    assert copy.args == error.args
