"""Networks, trainings, evaluation and export of the diffusion model, on a very small scale."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from kuchipaku_contract.errors import FailedPreconditionError
from kuchipaku_imagegen.backends import Order
from kuchipaku_imagegen.backends.batching import Device
from kuchipaku_imagegen.backends.diffusers_folder import DEFAULTS_FILE
from kuchipaku_imagegen.backends.diffusion import (
    DiffusionBackend,
    DiffusionOptions,
    DiffusionSpec,
)
from kuchipaku_imagegen.modelcache import ModelCache

torch = pytest.importorskip("torch", reason="training tests need torch (install training)")
pytest.importorskip("diffusers", reason="diffusers is not installed: training[diffusion] has it")
pytest.importorskip("transformers", reason="transformers is not installed: as diffusers")

from kuchipaku_training.diffusion import (  # noqa: E402 - skipped without diffusers
    classifier,
    dataset,
    decoder,
    denoiser,
    evaluate,
    export,
    latents,
    networks,
    pipeline,
    reader,
)
from kuchipaku_training.diffusion.__main__ import main  # noqa: E402
from kuchipaku_training.diffusion.dataset import BustData, DataSpec  # noqa: E402
from kuchipaku_training.diffusion.pixels import psnr, to_tensor  # noqa: E402

# diffusers and transformers warn of things to come.
pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
STARTER = Path(__file__).resolve().parents[2] / "models" / "starter"


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, latents and checkpoints of one step each."""
    work = tmp_path_factory.mktemp("diffusion")
    for name in ("train", "held"):
        for _ in dataset.render(work / "data" / name, DataSpec(940_000, 3), workers=1):
            pass
    data = dataset.open_data(work / "data" / "train")
    linear = latents.fit(data.colours(data.ready))
    linear.save(work / "latents.npz")
    runs, console = work / "runs", Console(quiet=True)
    one = decoder.Trainer(linear, decoder.TrainSettings(1, pictures=1, held_pictures=1), runs)
    one.run(data, data, console)
    reading = reader.TrainSettings(1, captions=2, held_captions=3)
    reader.Trainer(reading, runs).run(None, None, console)
    encoded = denoiser.encode_data(data, linear)
    settings = denoiser.TrainSettings(1, pictures=2, held_batches=1)
    denoiser.Trainer(settings, runs).run(encoded, encoded, console)
    judge = classifier.Trainer(classifier.TrainSettings(1, pictures=2), runs)
    assert 0 <= judge.run(data, data, console)["hair_style"] <= 1
    return work


@pytest.fixture
def data(work: Path) -> BustData:
    return dataset.open_data(work / "data" / "train")


def test_the_encoder_of_the_autoencoder_is_the_linear_map(work: Path, data: BustData) -> None:
    linear = latents.LinearLatents.load(work / "latents.npz")
    vae = networks.build_autoencoder(linear)
    pictures = data.colours(data.ready)
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2) / 127.5 - 1
    with torch.inference_mode():
        encoded = vae.encode(tensor).latents * vae.config.scaling_factor
    np.testing.assert_allclose(encoded.numpy(), linear.encode(pictures), atol=2e-3)


def test_the_decoder_begins_near_the_linear_map_back(work: Path, data: BustData) -> None:
    linear = latents.LinearLatents.load(work / "latents.npz")
    pictures = data.colours(data.ready)
    encoded = torch.from_numpy(linear.encode(pictures))
    truth = to_tensor(pictures)
    back = torch.from_numpy(linear.decode(encoded.numpy())).permute(0, 3, 1, 2) * 2 - 1
    grey = truth.mean((2, 3), keepdim=True).expand_as(truth)
    for part in (slice(0, 256), slice(64, 192)):  # parities are found in crops, too
        cells = slice(part.start // 16, part.stop // 16)
        vae = networks.build_autoencoder(linear)
        with torch.inference_mode():
            decoded = vae.decode(encoded[:, :, cells, cells] / vae.config.scaling_factor).sample
        reached = psnr(decoded, truth[:, :, part, part])
        assert reached > psnr(back[:, :, part, part], truth[:, :, part, part]) - 4
        assert reached > psnr(grey[:, :, part, part], truth[:, :, part, part]) + 5


def test_known_words_are_one_token_each() -> None:
    tokenizer = networks.build_tokenizer()
    ids = networks.tokens_of(tokenizer, ["girl, pink twintails", "zworgly 7 \U0001f600 girl"])
    assert ids.shape == (2, 77)
    words = tokenizer.convert_ids_to_tokens(ids[0].tolist())
    assert words[:5] == ["<|startoftext|>", "girl</w>", ",</w>", "pink</w>", "twintails</w>"]
    assert "girl</w>" in tokenizer.convert_ids_to_tokens(ids[1].tolist())


def test_a_training_goes_on_where_it_stopped(work: Path, data: BustData, tmp_path: Path) -> None:
    encoded = denoiser.encode_data(data, latents.LinearLatents.load(work / "latents.npz"))
    assert encoded.latents.shape == (3, 2, latents.CHANNELS, 16, 16)
    settings = denoiser.TrainSettings(3, pictures=2, bf16=False)
    whole = denoiser.Trainer(settings, tmp_path)
    losses = [whole.train_step(encoded) for _ in range(2)]
    whole.save()
    losses.append(whole.train_step(encoded))
    assert np.isfinite(losses).all()
    resumed = denoiser.Trainer(settings, tmp_path)
    assert resumed.resume()
    assert resumed.train_step(encoded) == pytest.approx(losses[2], rel=1e-4)


def test_words_stay_as_they_were_learnt(work: Path, data: BustData, tmp_path: Path) -> None:
    encoded = denoiser.encode_data(data, latents.LinearLatents.load(work / "latents.npz"))
    trainer = denoiser.Trainer(denoiser.TrainSettings(2, pictures=2, warmup=1), tmp_path)
    before = {name: value.clone() for name, value in trainer.net.state_dict().items()}
    trainer.train_step(encoded)
    after = trainer.net.state_dict()
    changed = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert changed
    assert not [name for name in changed if name.startswith(("text.", "unet.add_embedding."))]


def test_errors_at_the_eyes_weigh_more(
    work: Path, data: BustData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = denoiser.encode_data(data, latents.LinearLatents.load(work / "latents.npz"))
    trainer = denoiser.Trainer(denoiser.TrainSettings(1, pictures=2), tmp_path)
    losses = []
    for row, column in ((8, 6), (8, 0), (2, 6)):
        errors = torch.zeros(2, latents.CHANNELS, 16, 16)
        errors[:, :, row, column] = 1.0
        monkeypatch.setattr(trainer, "_batch_errors", lambda *_, errors=errors: errors)
        losses.append(float(trainer.loss(encoded)))
    assert losses[1] == losses[2] > 0
    assert losses[0] >= 2 * losses[1]


def test_errors_in_what_captions_decide_weigh(work: Path, data: BustData, tmp_path: Path) -> None:
    encoded = denoiser.encode_data(data, latents.LinearLatents.load(work / "latents.npz"))
    settings = denoiser.TrainSettings(1, pictures=2, bf16=False)
    size = int(np.prod(encoded.latents.shape[2:]))
    losses = []
    for readout in (None, np.zeros((size, 2), np.float32), np.eye(size, 2, dtype=np.float32)):
        trainer = denoiser.Trainer(settings, tmp_path)
        if readout is not None:
            trainer.weigh(readout)
        with torch.no_grad():
            losses.append(float(trainer.loss(encoded)))
    assert losses[0] == pytest.approx(losses[1])
    assert losses[2] > losses[1]


def test_captions_are_read_before_there_are_pictures(tmp_path: Path) -> None:
    console = Console(quiet=True)
    settings = reader.TrainSettings(40, captions=8, held_captions=40, warmup=5, average=0.5)
    trainer = reader.Trainer(settings, tmp_path)
    first = float(np.mean([trainer.train_step(None) for _ in range(5)]))
    score = trainer.run(None, None, console)
    last = float(np.mean([trainer.train_step(None) for _ in range(5)]))
    assert last < first - 0.5
    assert 0 <= score["all required"] <= score["hair_colour"] <= 1
    fresh = denoiser.Trainer(denoiser.TrainSettings(1), tmp_path)
    fresh.begin(lambda net: reader.take_over(net, tmp_path))
    learnt = torch.load(trainer.checkpoint, weights_only=True)["average"]
    for name, value in fresh.average.text.state_dict().items():
        assert torch.equal(value, learnt[f"text.{name}"]), name
    pooled = "pool.k_proj.weight"
    assert torch.equal(
        fresh.net.unet.add_embedding.state_dict()[pooled], learnt[f"pooling.{pooled}"]
    )


def test_most_times_are_noisy_ones() -> None:
    times = denoiser.noisier(np.linspace(0, 1, 101))
    assert (times[0], times[-1]) == (0, networks.TRAIN_TIMES - 1)
    assert (np.diff(times) > 0).all()
    assert np.median(times) > 0.6 * networks.TRAIN_TIMES


def test_the_model_is_measured_exported_and_loaded(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Console(quiet=True)
    monkeypatch.setattr(pipeline.draw, "__kwdefaults__", {"guidance": 3.0, "steps": 2})
    with pytest.raises(FailedPreconditionError, match="run the evaluation first"):
        export.export_model(work, tmp_path / "pack", console)
    report = evaluate.evaluate(work, STARTER, console, count=2)
    assert report["captions"] == 2
    assert report["copies"]["unseen_least"] == 0.0  # the held-out drawings are the training's here
    assert report["copies"]["drawn_least"] > 1.0
    assert set(report["agreement"]) == {"drawings", "rebuilt drawings", "usual words", "free words"}
    folder = tmp_path / "pack"
    export.export_model(work, folder, console, note="A note.")
    endings = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert endings <= {".json", ".safetensors", ".md", ".jpg"}
    assert sum(path.stat().st_size for path in folder.rglob("*")) < export.MAX_BYTES
    card = (folder / "MODEL_CARD.md").read_text("utf-8")
    assert "A note." in card
    assert "2 captions" in card
    assert _drawn_by_service(folder).shape == (256, 256, 4)
    pipe: Any = import_module("diffusers").DiffusionPipeline.from_pretrained(folder)
    assert type(pipe).__name__ == "StableDiffusionPipeline"


def _drawn_by_service(folder: Path) -> np.ndarray:
    device = Device(batch_limit=2)
    try:
        options, cache = DiffusionOptions(device="cpu"), ModelCache(1 << 30)
        backend = DiffusionBackend(DiffusionSpec("tiny", str(folder)), options, cache, device)
        facts = backend.capabilities
        assert facts.default_size_px == 256
        told = json.loads((folder / DEFAULTS_FILE).read_text("utf-8"))
        assert (facts.step_count, facts.guidance_scale) == (
            told["step_count"],
            told["guidance_scale"],
        )
        order = Order("girl, pink hair", "", 1, 1, 256, 256, step_count=2, guidance_scale=3.0)
        (drawing,) = backend.draw(order, _Quiet())
        return drawing.pixels
    finally:
        device.close()


class _Quiet:
    def __call__(self, index: int, step: int, step_count: int, preview: object = None) -> None:
        """Hear of a step."""

    def check(self) -> None:
        """The work is wanted."""


def test_what_is_missing_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def error_of(command: str) -> str:
        assert main(["--work", str(tmp_path), command]) == 1
        return " ".join(capsys.readouterr().err.split())

    assert "train first" in error_of("export")
    assert "render one first" in error_of("classifier")
    with pytest.raises(FailedPreconditionError, match="train the reader first"):
        reader.take_over(denoiser.Denoiser(networks.build_tokenizer()), tmp_path)
    monkeypatch.setattr("kuchipaku_training.diffusion.__main__.find_spec", lambda _name: None)
    assert "diffusers is not installed" in error_of("unet")
