"""What folders of diffusers say of themselves, read without diffusers."""

from __future__ import annotations

from pathlib import Path

import pytest

from kuchipaku_imagegen.backends.diffusers_folder import read_facts


@pytest.mark.parametrize(
    ("told", "steps", "guidance"),
    [
        ('{"step_count": 12, "guidance_scale": 2.5}', 12, 2.5),
        ('{"guidance_scale": 0}', 25, 0.0),
        ('{"step_count": "many", "guidance_scale": -1}', 25, 7.0),
        ('{"step_count": 100000, "guidance_scale": NaN}', 25, 7.0),
        ("no JSON", 25, 7.0),
    ],
)
def test_a_folder_may_ask_for_steps_and_guidance(
    tmp_path: Path, told: str, steps: int, guidance: float
) -> None:
    (tmp_path / "kuchipaku.json").write_text(told, "utf-8")
    facts = read_facts(str(tmp_path))
    assert (facts.step_count, facts.guidance_scale) == (steps, guidance)
