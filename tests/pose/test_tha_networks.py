"""The torch networks against the original code: keys, shapes, values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from tests.pose.thadata import ALONE, CASES, CHAIN, Reference, assert_close, reference

torch = pytest.importorskip("torch")

from kuchipaku_pose.tha.catalogue import FAMILIES, Family  # noqa: E402
from kuchipaku_pose.tha.chains import run_chain  # noqa: E402
from kuchipaku_pose.tha.networks import network_makers  # noqa: E402


def by_cost(*fast: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        "case",
        [pytest.param(c, marks=() if c in fast else pytest.mark.slow, id=c) for c in CASES],
    )


def load(ref: Reference) -> dict[str, Any]:
    networks = {}
    for name, make in network_makers(ref.family, ref.variant).items():
        network = make().eval()
        state = {key: torch.from_numpy(value) for key, value in ref.weights(name).items()}
        network.load_state_dict(state, strict=True)
        networks[name] = network
    return networks


@pytest.fixture(scope="module")
def loaded() -> dict[str, Mapping[str, Any]]:
    return {}


def networks_of(case: str, loaded: dict[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    if case not in loaded:
        loaded.clear()  # the standard networks take half a gigabyte each
        loaded[case] = load(reference(case))
    return loaded[case]


@pytest.mark.parametrize("case", CASES)
def test_keys_and_shapes_are_the_official_ones_in_their_order(case: str) -> None:
    ref = reference(case)
    makers = network_makers(ref.family, ref.variant)
    assert list(makers) == list(FAMILIES[ref.family].files)
    for name, make in makers.items():
        with torch.device("meta"):
            state = make().state_dict()
        ours = [(key, tuple(value.shape)) for key, value in state.items()]
        assert ours == list(ref.keys_and_shapes(name).items())


@pytest.mark.timeout(600)
@by_cost("v3/separable_float", "v4/student")
def test_each_network_alone_gives_the_original_outputs(
    case: str, loaded: dict[str, Mapping[str, Any]]
) -> None:
    ref = reference(case)
    for name, network in networks_of(case, loaded).items():
        with torch.no_grad():
            results = network(*map(torch.from_numpy, ref.arguments(name)))
        compared = 0
        for _, index, key, positions in ref.outputs(name):
            got = _as_original(case, name, index, results)
            if got is not None:
                sample = got.reshape(-1)[ref.arrays[positions]]
                assert_close(sample, ref.arrays[f"alone/{key}"][0], ALONE, key)
                compared += 1
        assert compared >= min(len(results), 5)


@pytest.mark.timeout(600)
@by_cost("v4/student")
def test_the_chain_gives_the_original_outputs(
    case: str, loaded: dict[str, Mapping[str, Any]]
) -> None:
    ref = reference(case)
    networks = networks_of(case, loaded)
    image = torch.from_numpy(ref.inputs["image"])
    for pose in range(1, 3):
        with torch.no_grad():
            poses = torch.from_numpy(ref.inputs["poses"][pose : pose + 1])
            results = run_chain(ref.family, networks, image, poses)
        for name, index, key, positions in ref.outputs():
            got = _as_original(case, name, index, results[name])
            if got is not None:
                sample = got.reshape(-1)[ref.arrays[positions]]
                assert_close(sample, ref.arrays[f"chain/{key}"][pose], CHAIN, key)


def _as_original(case: str, network: str, index: int, results: Any) -> Any:
    if case == "v1" and network == "two_algo_face_rotator" and index >= 4:
        # Version 1 keeps its offsets as (N, H, W, 2), and returns the whole grid as well.
        return results[4].permute(0, 2, 3, 1).contiguous().numpy() if index == 4 else None
    return results[index].contiguous().numpy()


@pytest.mark.parametrize("family", Family)
def test_a_pose_parameter_more_or_less_would_be_noticed(family: Family) -> None:
    poses = {Family.THA1: 6, Family.THA2: 42}
    assert len(FAMILIES[family].parameters) == poses.get(family, 45)
    assert all(p.neutral == 0 for p in FAMILIES[family].parameters)


def test_a_changed_weight_changes_the_result() -> None:
    ref = reference("v4/student")
    state = {k: torch.from_numpy(v) for k, v in ref.weights("face_morpher").items()}
    network = network_makers(Family.THA4_STUDENT)["face_morpher"]().eval()
    network.load_state_dict(state)
    with torch.no_grad():
        network.siren.last_linear.bias += 1e-3
        result = network(*map(torch.from_numpy, ref.arguments("face_morpher")))[0].numpy()
    ((_, _, key, positions),) = ref.outputs("face_morpher")
    with pytest.raises(AssertionError, match="largest error"):
        assert_close(
            result.reshape(-1)[ref.arrays[positions]],
            np.asarray(ref.arrays[f"alone/{key}"][0]),
            ALONE,
            key,
        )
