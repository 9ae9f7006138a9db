"""The recipe of the images."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "docker" / "Dockerfile"
TARGETS = ("gateway", "imagegen", "lipsync", "compositor", "pose", "pose-gpu")


def test_hadolint_finds_nothing() -> None:
    beside = Path(sys.executable).with_name("hadolint")
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run([hadolint, str(DOCKERFILE)], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_serves_and_tells_its_health(target: str) -> None:
    stages = re.split(r"(?m)^FROM ", DOCKERFILE.read_text(encoding="utf-8"))
    (stage,) = (s for s in stages if re.match(rf"\S+ AS {target}\n", s))
    package = target.removesuffix("-gpu")
    assert f'ENTRYPOINT ["python", "-m", "kuchipaku_{package}"]' in stage
    (port,) = re.findall(r"EXPOSE (\d+)", stage)
    assert f'HEALTHCHECK CMD ["kuchipaku-health", "127.0.0.1:{port}"]' in stage
    assert f'org.opencontainers.image.title="kuchipaku-{target}"' in stage


def test_images_run_as_nobody_in_particular() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert "USER 10001:10001" in text
    assert "latest" not in text


def test_onnxruntime_tells_nobody_of_its_use() -> None:
    text = DOCKERFILE.read_text(encoding="utf-8")
    for stage in ("builder", "runtime"):
        (found,) = re.findall(rf"(?ms)^FROM \S+ AS {stage}\n.*?(?=^FROM )", text)
        assert "ORT_DISABLE_TELEMETRY=1" in found
