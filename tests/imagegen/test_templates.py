"""Prompts within their templates, and words that are not drawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from kuchipaku_contract.errors import FailedPreconditionError, InvalidArgumentError
from kuchipaku_imagegen.prompts import Blocklist, Templates
from kuchipaku_imagegen.settings import ImagegenSettings


def test_the_portrait_template_asks_for_what_animation_needs() -> None:
    prompt, negative = Templates().portrait("girl, red hair", "")
    assert prompt.startswith("girl, red hair, ")
    for wish in ("front view", "upper body", "looking at viewer", "plain background"):
        assert wish in prompt
    assert "closed eyes" in negative
    assert not negative.startswith(",")


def test_templates_can_be_replaced() -> None:
    templates = Templates("photo of {prompt}", "{prompt}")
    assert templates.portrait(" a {cat} ", "dogs") == ("photo of a {cat}", "dogs")
    with pytest.raises(ValueError, match="prompt"):
        Templates("a template without a place", "{prompt}")


@pytest.mark.parametrize(
    ("prompt", "allowed"),
    [
        ("girl", True),
        ("gore", False),
        ("GORE!", False),
        ("gorey", True),
        ("very   Bad\tthing here", False),
        ("bad, thing", True),
        ("größe", False),
        ("", True),
    ],
)
def test_whole_words_are_blocked(prompt: str, allowed: bool) -> None:
    blocklist = Blocklist.of(["gore", "bad thing", "Größe"])
    if allowed:
        blocklist.check(prompt)
    else:
        with pytest.raises(InvalidArgumentError) as caught:
            blocklist.check(prompt)
        assert caught.value.reason == "PROMPT_BLOCKED"
        assert prompt not in caught.value.message


def test_a_list_that_cannot_be_read_stops_the_service(tmp_path: Path) -> None:
    with pytest.raises(FailedPreconditionError) as caught:
        Blocklist.read(tmp_path / "missing.txt")
    assert caught.value.reason == "BLOCKLIST_NOT_READABLE"


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt_template": "without a place"},
        {"models": {"illustrator": {"source": "gan:x.onnx"}}},
        {"models": {"sd": {"source": "pickle:x.ckpt"}}},
        {"models": {"sd": {"source": "diffusers:x", "step_count": 0}}},
        {"models": {"sd": {"source": "diffusers:x", "unknown": 1}}},
        {"device": "tpu"},
    ],
)
def test_wrong_settings_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ImagegenSettings(**fields)  # type: ignore[arg-type]
