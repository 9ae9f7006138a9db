"""CPU milliseconds per frame of talking-head-anime networks: eager torch, plain onnxruntime, ours.

Usage: python benchmarks/pose_families.py [--models NAME ...] [--still-head] [--rounds N]
    [--json FILE]

Everything runs on one thread, and the contenders take turns, so that what else the machine does
disturbs them alike: the ratios are worth more than the milliseconds. "plain onnxruntime" is the
whole poser by torch's own export with batch 1, run by onnxruntime as it is. Ours are packs that
`kuchipaku models import` makes, run by the engine; by OpenVINO too where it is installed. With
--still-head version 3 is imported a second time, with its head turned apart. Needs torch. With
KUCHIPAKU_TEST_DATA the student is an official one, and version 3 has the weights of the parity
vectors; otherwise weights are random, which costs the same.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from kuchipaku_imagegen import illustrator
from kuchipaku_media.picture import decode_picture
from kuchipaku_pose.conventions import picture_to_tensor
from kuchipaku_pose.engine import Character, Engine, EngineMemory, EngineOptions, FrameRequest
from kuchipaku_pose.pack import load_pack
from kuchipaku_pose.tha.catalogue import FAMILIES, Family, Variant
from kuchipaku_pose.tha.chains import BROW_BOX, final_picture, run_chain
from kuchipaku_pose.tha.importer import ImportRequest, import_pack
from kuchipaku_pose.tha.networks import build_networks
from kuchipaku_pose.tha.weights import load_networks
from kuchipaku_pose.view import make_view

Array = NDArray[np.float32]
Picture = NDArray[np.uint8]

MODELS: Mapping[str, tuple[Family, Variant | None]] = {
    "tha3 separable_float": (Family.THA3, Variant.SEPARABLE_FLOAT),
    "tha3 standard_float": (Family.THA3, Variant.STANDARD_FLOAT),
    "tha3 separable_half": (Family.THA3, Variant.SEPARABLE_HALF),
    "tha3 standard_half": (Family.THA3, Variant.STANDARD_HALF),
    "tha4 student": (Family.THA4_STUDENT, None),
}
MOUTH = slice(26, 32)


class Poser(torch.nn.Module):  # type: ignore[misc]
    """The author's chain as one module."""

    def __init__(self, family: Family, networks: Mapping[str, Any]) -> None:
        super().__init__()
        self.family = family
        self.networks = torch.nn.ModuleDict(networks)

    def forward(self, image: Any, pose: Any) -> Any:
        return final_picture(self.family, run_chain(self.family, self.networks, image, pose))


@dataclass
class Row:
    """One line of the table."""

    what: str
    cpu_ms: float
    """Median."""
    of_torch: float
    """Share of eager torch's."""


@dataclass
class Result:
    """What was measured of one model."""

    model: str
    weights: str
    rows: list[Row]
    max_difference: float
    """Of our frame from eager torch's; the range is -1 to 1."""
    mean_difference: float
    plain_difference: float
    """Largest of plain onnxruntime's frame."""
    stage_ms: dict[str, float]
    """Of our stages, the median run."""


def formula_weights(variant: Variant, folder: Path) -> bool:
    """Write the parity vectors' weights of a version 3 variant, if they are there."""
    root = Path(os.environ.get("KUCHIPAKU_TEST_DATA", ""), "vectors")
    if not (root / "weights.py").is_file():
        return False
    spec = importlib.util.spec_from_file_location("formula", root / "weights.py")
    if spec is None or spec.loader is None:
        return False
    formula = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(formula)
    kind = torch.float16 if variant.endswith("half") else torch.float32
    seed = variant.replace("half", "float")
    for name, network in build_networks(Family.THA3, variant).items():
        shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
        state = formula.make_state_dict(shapes, f"dev-1/v3/{seed}/{name}")
        tensors = {key: torch.from_numpy(value).to(kind) for key, value in state.items()}
        torch.save(tensors, folder / f"{name}.pt")
    return True


def weights_of(family: Family, variant: Variant | None, folder: Path) -> tuple[Path, str]:
    """Return a folder with weights, and what they are."""
    official = Path(os.environ.get("KUCHIPAKU_TEST_DATA", ""), "data/tha/v4_student/lambda_00")
    if family is Family.THA4_STUDENT and official.is_dir():
        return official, "official (lambda_00)"
    if variant is not None and formula_weights(variant, folder):
        return folder, "of the parity vectors"
    for name, network in build_networks(family, variant).items():
        torch.save(network.state_dict(), folder / f"{name}.pt")
    return folder, "random"


def character_picture(weights: Path) -> Picture:
    path = weights / "character.png"
    if path.is_file():
        return decode_picture(path.read_bytes())
    return illustrator.render(illustrator.random_attributes(1), size=512)


class Ours:
    """An engine with one prepared character, and poses that it has not seen."""

    def __init__(self, pack: Path, picture: Picture, provider: str = "cpu") -> None:
        memory = EngineMemory.of_mib(characters=256, stages=512, frames=64)
        self.engine = Engine(load_pack(pack), EngineOptions(provider=provider), memory)
        self.picture = picture
        self.view = make_view(self.engine.canvas_side)
        self.rng = np.random.default_rng(11)
        self.character: Character = self.engine.prepare("bench", picture)
        self.known = self.new_pose()
        self.render(self.known)

    def new_pose(self) -> Array:
        space = self.engine.space
        weights = self.rng.random(len(space), dtype=np.float32)
        return np.asarray(space.minimum + weights * (space.maximum - space.minimum), np.float32)

    def render(self, pose: Array) -> None:
        self.engine.render([FrameRequest(self.character, pose, self.view)])

    def unseen(self) -> None:
        self.render(self.new_pose())

    def mouth(self) -> None:
        pose = self.known.copy()
        pose[MOUTH] = self.new_pose()[MOUTH] / 6
        self.render(pose)

    def seen(self) -> None:
        self.render(self.known)

    def new_character(self) -> None:
        self.engine.memory.characters.clear()
        self.engine.prepare("bench", self.picture)


def plain_session(poser: Poser, image: Any, pose: Any, path: Path) -> onnxruntime.InferenceSession:
    """Export the whole poser as torch does by default, batch 1, and open it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            poser,
            (image, pose),
            str(path),
            input_names=["image", "pose"],
            output_names=["frame"],
            opset_version=20,
            dynamo=False,
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def take_turns(contenders: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return each contender's median CPU milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for i in range(rounds + 1):
        for name, run in contenders.items():
            started = time.process_time()
            run()
            if i:  # the first round warms up
                times[name].append((time.process_time() - started) * 1e3)
    return {name: median(values) for name, values in times.items()}


def measure(model: str, rounds: int, folder: Path, *, still_head: bool) -> Result:
    family, variant = MODELS[model]
    made = folder / "weights"
    made.mkdir()
    weights, kind = weights_of(family, variant, made)
    request = ImportRequest(family, weights, folder / "pack", variant, name="bench")
    import_pack(request, lambda step, _done: print(f"  {model}: {step:<40}", end="\r"))
    networks = load_networks(family, variant, weights)
    picture = character_picture(weights)
    image = picture_to_tensor(picture, FAMILIES[family].canvas.convention)[None]
    ours = Ours(folder / "pack", picture)
    tensor, pose = torch.from_numpy(image), torch.from_numpy(ours.new_pose())[None]
    with torch.no_grad():
        poser = Poser(family, networks).eval()
        expected = poser(tensor, pose)[0].numpy()
        session = plain_session(poser, tensor, pose, folder / "plain.onnx")
        feeds = {"image": image, "pose": pose.numpy()}
        feeds = {i.name: feeds[i.name] for i in session.get_inputs()}
        contenders: dict[str, Callable[[], object]] = {
            "eager torch": lambda: poser(tensor, pose),
            "plain onnxruntime": lambda: session.run(None, feeds),
            "ours, pose unseen": ours.unseen,
            "ours, new mouth, head and brows still": ours.mouth,
            "ours, frame seen before": ours.seen,
            "ours, preparing a character (once)": ours.new_character,
        }
        if importlib.util.find_spec("openvino") is not None:
            other = Ours(folder / "pack", picture, "openvino")
            contenders["ours with OpenVINO, pose unseen"] = other.unseen
        if still_head and family is Family.THA3:
            request = replace(request, output=folder / "still", still_head=True)
            import_pack(request, lambda _step, _done: None)
            still = Ours(folder / "still", picture)
            contenders["ours, head apart, pose unseen"] = still.unseen
            contenders["ours, head apart, new mouth"] = still.mouth
        if family is Family.THA3:
            decomposer, brows = networks["eyebrow_decomposer"], BROW_BOX.of(tensor)
            contenders["eager torch, decomposer alone"] = lambda: decomposer(brows)
        medians = take_turns(contenders, rounds)
        plain = np.abs(np.asarray(session.run(None, feeds)[0])[0] - expected)
    character = ours.engine.prepare_tensor(image[0])
    difference = np.abs(ours.engine.output(character, pose.numpy()[0]) - expected)
    stages = ours.engine.statistics().stages
    base = medians["eager torch"]
    return Result(
        model,
        kind,
        [Row(name, value, value / base) for name, value in medians.items()],
        float(difference.max()),
        float(difference.mean()),
        float(plain.max()),
        {name: t.seconds / t.runs * 1e3 for name, t in stages.items() if t.runs},
    )


def report(result: Result) -> None:
    print(f"\n{result.model}, weights {result.weights}{'':<30}")
    for row in result.rows:
        print(f"  {row.what:<40}{row.cpu_ms:>9.1f} ms{row.of_torch:>8.3f} of eager torch")
    stages = ", ".join(f"{name} {ms:.0f}" for name, ms in result.stage_ms.items())
    print(f"  our stages, mean wall ms per run: {stages}")
    print(
        f"  frame against eager torch: ours {result.max_difference:.1e} at most, "
        f"{result.mean_difference:.1e} on average; plain onnxruntime "
        f"{result.plain_difference:.1e} at most"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--still-head", action="store_true", help="measure that pack as well")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    print(f"{platform.machine()}, torch {torch.__version__}, onnxruntime {onnxruntime.__version__}")
    results = []
    for model in options.models:
        with tempfile.TemporaryDirectory() as folder:
            result = measure(model, options.rounds, Path(folder), still_head=options.still_head)
        results.append(result)
        report(results[-1])
    if options.json:
        text = json.dumps([asdict(result) for result in results], indent=2)
        options.json.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
