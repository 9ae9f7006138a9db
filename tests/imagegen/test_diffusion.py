"""Real diffusers pipelines with small random weights, loaded as a user's folder is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_imagegen.backends import Drawing, Order
from kuchipaku_imagegen.backends.batching import Device
from kuchipaku_imagegen.backends.diffusers_folder import read_facts
from kuchipaku_imagegen.backends.diffusion import (
    DiffusionBackend,
    DiffusionOptions,
    DiffusionSpec,
)
from kuchipaku_imagegen.modelcache import ModelCache
from kuchipaku_imagegen.threads import StoppedError

from .diffusion_folders import SIDE, save_lora, save_sd, save_sdxl

# Loading diffusers takes long where nothing is cached, and it warns of things to come.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),
]
_TOLERANCE = 2


class _Told:
    def __init__(self, stop_at: int = 1000) -> None:
        self.steps: list[tuple[int, int, int]] = []
        self.previews: list[np.ndarray] = []
        self.stop_at = stop_at

    def __call__(
        self, index: int, step: int, step_count: int, preview: np.ndarray | None = None
    ) -> None:
        self.steps.append((index, step, step_count))
        if preview is not None:
            self.previews.append(preview)
        if step >= self.stop_at:
            raise StoppedError

    def check(self) -> None:
        """Never stops between steps."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {
        "sd": save_sd(root / "sd"),
        "lcm": save_sd(root / "lcm", lcm=True),
        "sdxl": save_sdxl(root / "sdxl"),
    }


@pytest.fixture(scope="module")
def device() -> Iterator[Device]:
    device = Device(batch_limit=4)
    yield device
    device.close()


@pytest.fixture(scope="module")
def cache() -> ModelCache:
    return ModelCache(1 << 30)


def _backend(folder: Path, cache: ModelCache, device: Device) -> DiffusionBackend:
    spec = DiffusionSpec(str(folder), str(folder))
    return DiffusionBackend(spec, DiffusionOptions("cpu"), cache, device)


def _order(seed: int, count: int = 1, **more: object) -> Order:
    fields = {"width_px": SIDE, "height_px": SIDE, "step_count": 3, "guidance_scale": 2.0, **more}
    return Order("girl, red hair", "hat", seed, count, **fields)  # type: ignore[arg-type]


def _difference(one: Drawing, other: Drawing) -> int:
    return int(np.abs(one.pixels.astype(int) - other.pixels.astype(int)).max())


@pytest.mark.parametrize("kind", ["sd", "lcm", "sdxl"])
def test_pictures_follow_their_seeds_in_any_batch(
    folders: dict[str, Path], cache: ModelCache, device: Device, kind: str
) -> None:
    backend = _backend(folders[kind], cache, device)
    told = _Told()
    four = list(backend.draw(_order(5, 4), told))
    assert [one.seed for one in four] == [5, 6, 7, 8]
    assert four[0].pixels.shape == (SIDE, SIDE, 4)
    single = next(iter(backend.draw(_order(7), _Told())))
    assert _difference(four[2], single) <= _TOLERANCE
    assert _difference(four[2], four[3]) > 40
    assert told.steps[0] == (0, 0, 3)
    assert told.steps[-1] == (3, 3, 3)
    assert told.previews[0].shape == (SIDE // 2, SIDE // 2, 4)


def test_the_same_order_gives_the_same_bytes(
    folders: dict[str, Path], cache: ModelCache, device: Device
) -> None:
    backend = _backend(folders["sd"], cache, device)
    one, other = (next(iter(backend.draw(_order(3), _Told()))) for _ in range(2))
    np.testing.assert_array_equal(one.pixels, other.pixels)


def test_a_picture_can_be_the_start(
    folders: dict[str, Path], cache: ModelCache, device: Device
) -> None:
    backend = _backend(folders["sd"], cache, device)
    start = np.full((50, 80, 4), (200, 40, 40, 255), np.uint8)
    told = _Told()
    near = next(
        iter(backend.draw(_order(3, step_count=8, init_image=start, init_strength=0.25), told))
    )
    assert near.pixels.shape == (SIDE, SIDE, 4)
    # A quarter of the way: two of eight steps.
    assert told.steps[-1] == (0, 2, 2)
    far = next(
        iter(backend.draw(_order(3, step_count=8, init_image=start, init_strength=1.0), _Told()))
    )
    assert _difference(near, far) > 20


@pytest.mark.parametrize(("step_count", "strength"), [(1, 0.75), (4, 0.2)])
def test_few_steps_from_a_picture_are_still_steps(
    folders: dict[str, Path], cache: ModelCache, device: Device, step_count: int, strength: float
) -> None:
    start = np.full((SIDE, SIDE, 4), (200, 40, 40, 255), np.uint8)
    told = _Told()
    order = _order(3, step_count=step_count, init_image=start, init_strength=strength)
    drawings = list(_backend(folders["sd"], cache, device).draw(order, told))
    assert drawings[0].pixels.shape == (SIDE, SIDE, 4)
    assert told.steps[-1] == (0, 1, 1)


def test_transparency_of_the_start_is_white(
    folders: dict[str, Path], cache: ModelCache, device: Device
) -> None:
    backend = _backend(folders["sd"], cache, device)
    clear = np.zeros((SIDE, SIDE, 4), np.uint8)
    white = np.full((SIDE, SIDE, 4), 255, np.uint8)
    one, other = (
        next(iter(backend.draw(_order(3, init_image=start, init_strength=0.5), _Told())))
        for start in (clear, white)
    )
    np.testing.assert_array_equal(one.pixels, other.pixels)


def test_an_order_ends_within_a_step_and_the_model_stays_good(
    folders: dict[str, Path], cache: ModelCache, device: Device
) -> None:
    backend = _backend(folders["sd"], cache, device)
    told = _Told(stop_at=2)
    with pytest.raises(StoppedError):
        list(backend.draw(_order(1, step_count=50), told))
    assert told.steps[-1][1] == 2
    assert list(backend.draw(_order(1), _Told()))


def test_what_a_folder_says_of_itself(folders: dict[str, Path]) -> None:
    sd, lcm, xl = (read_facts(str(folders[kind])) for kind in ("sd", "lcm", "sdxl"))
    assert (sd.size_px, sd.step_count, sd.guidance_scale) == (SIDE, 25, 7.0)
    assert (lcm.step_count, lcm.guidance_scale) == (4, 1.0)
    assert (xl.step_count, xl.guidance_scale) == (30, 5.0)
    assert sd.parameter_count == _parameters_of(folders["sd"])


def _parameters_of(folder: Path) -> int:
    pipe = import_module("diffusers").DiffusionPipeline.from_pretrained(folder)
    parts = (pipe.unet, pipe.vae, pipe.text_encoder)
    return sum(value.numel() for part in parts for value in part.state_dict().values())


def test_files_that_are_not_loaded_do_not_count(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "snapshot"
    shutil.copytree(folders["sd"], folder)
    weights = folder / "unet/diffusion_pytorch_model.safetensors"
    for name in ("unet/diffusion_pytorch_model.fp16.safetensors", "whole-pruned.safetensors"):
        shutil.copy(weights, folder / name)
    whole = read_facts(str(folders["sd"])).parameter_count
    assert read_facts(str(folder)).parameter_count == whole
    weights.write_bytes(b"no table of contents")
    assert 0 < read_facts(str(folder)).parameter_count < whole


def test_only_safetensors_are_loaded(
    folders: dict[str, Path], cache: ModelCache, device: Device, tmp_path: Path
) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(folders["sd"], folder)
    weights = folder / "unet/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(FailedPreconditionError) as caught:
        list(_backend(folder, cache, device).draw(_order(1), _Told()))
    assert caught.value.reason == "MODEL_NOT_LOADABLE"


def test_errors_do_not_tell_places(cache: ModelCache, device: Device, tmp_path: Path) -> None:
    spec = DiffusionSpec(name="secret", source=str(tmp_path / "nothing"))
    backend = DiffusionBackend(spec, DiffusionOptions("cpu"), ModelCache(64 << 30), device)
    with pytest.raises(FailedPreconditionError) as caught:
        list(backend.draw(_order(1), _Told()))
    assert str(tmp_path) not in caught.value.message


def test_adapters_change_the_picture_as_much_as_they_are_told_to(
    folders: dict[str, Path], device: Device, tmp_path: Path
) -> None:
    lora = save_lora(folders["sd"], tmp_path / "style")
    cache = ModelCache(1 << 30)

    def drawn(name: str, **more: object) -> Drawing:
        spec = DiffusionSpec(name, str(folders["sd"]), **more)  # type: ignore[arg-type]
        backend = DiffusionBackend(spec, DiffusionOptions("cpu"), cache, device)
        return next(iter(backend.draw(_order(4), _Told())))

    plain = drawn("plain")
    assert _difference(plain, drawn("off", lora=lora, lora_scale=0.0)) <= _TOLERANCE
    half, whole = drawn("half", lora=lora, lora_scale=0.5), drawn("whole", lora=lora)
    assert _difference(plain, half) > _TOLERANCE
    assert _difference(half, whole) > _TOLERANCE
    file = next(lora.glob("*.safetensors"))
    assert _difference(whole, drawn("file", lora=file)) == 0


def test_adapters_are_no_pickles(
    folders: dict[str, Path], cache: ModelCache, device: Device, tmp_path: Path
) -> None:
    place = tmp_path / "style.bin"
    place.write_bytes(b"anything")
    spec = DiffusionSpec(name="sd", source=str(folders["sd"]), lora=place)
    backend = DiffusionBackend(spec, DiffusionOptions("cpu"), cache, device)
    with pytest.raises(FailedPreconditionError) as caught:
        list(backend.draw(_order(1), _Told()))
    assert caught.value.reason == "MODEL_NOT_LOADABLE"
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_folder_that_is_not_there(device: Device, tmp_path: Path) -> None:
    # Nobody knows how large the model would have been.
    cache = ModelCache(64 << 30)
    with pytest.raises(FailedPreconditionError) as caught:
        list(_backend(tmp_path / "nothing", cache, device).draw(_order(1), _Told()))
    assert caught.value.reason == "MODEL_NOT_LOADABLE"
