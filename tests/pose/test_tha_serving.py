"""The rewritten networks compute what the networks compute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuchipaku_pose.tha.reach import BAND, Reach, bands
from tests.pose.thadata import reference

torch = pytest.importorskip("torch")

from kuchipaku_pose.tha.blocks import (  # noqa: E402
    InstanceNorm,
    Style,
    alpha_head,
    colour_head,
    conv_block,
    grid_head,
    leaky_relu,
    relu,
    up_block,
)
from kuchipaku_pose.tha.bodies4 import Resample, TeacherResidualBlock  # noqa: E402
from kuchipaku_pose.tha.catalogue import FAMILIES, Family, Variant  # noqa: E402
from kuchipaku_pose.tha.chains import FACE_BOX, final_picture, run_chain  # noqa: E402
from kuchipaku_pose.tha.networks import build_networks  # noqa: E402
from kuchipaku_pose.tha.serving import (  # noqa: E402
    BlockHead,
    ExactInstanceNorm,
    FusedHeads,
    SplitBlock,
    fill,
    filled,
    rewrite,
)
from kuchipaku_pose.tha.stages import (  # noqa: E402
    FRAME,
    build_stages,
    run_stages,
    student_stages,
)
from kuchipaku_pose.tha.stillhead import still_head_stages  # noqa: E402
from kuchipaku_pose.tha.studentserving import assemble, enlarged  # noqa: E402

STYLES = pytest.mark.parametrize("style", Style)


@pytest.fixture(autouse=True)
def _deterministic() -> Any:
    torch.manual_seed(3)
    with torch.no_grad():
        yield


def assert_same(ours: Any, theirs: Any, tolerance: float = 1e-5) -> None:
    assert ours.shape == theirs.shape
    assert float((ours - theirs).abs().max()) <= tolerance


def shaken(module: Any) -> Any:
    for parameter in module.parameters():
        parameter.add_(0.1 * torch.randn_like(parameter))
    return module.eval()


@pytest.mark.parametrize("size", [(64, 64), (160, 200)])
def test_the_norm_of_large_maps_is_exact_and_each_picture_has_its_own(size: Any) -> None:
    norm = shaken(InstanceNorm(5))
    x = torch.randn(3, 5, *size) * torch.tensor([1.0, 5.0, 0.1])[:, None, None, None] + 3
    exact = torch.nn.functional.instance_norm(
        x.double(), weight=norm.weight.double(), bias=norm.bias.double()
    )
    assert_same(ExactInstanceNorm(norm)(x), exact.float(), 2e-5)


def test_heads_in_one_convolution() -> None:
    heads = [shaken(head) for head in (grid_head(8), colour_head(8), alpha_head(8, 4))]
    feature = torch.randn(2, 8, 12, 12)
    for ours, head in zip(FusedHeads(heads)(feature), heads, strict=True):
        assert_same(ours, head(feature))


def test_a_head_in_blocks_of_pixels() -> None:
    feature = torch.randn(2, 8, 12, 16)
    for bias in (False, True):
        head = shaken(torch.nn.Conv2d(8, 2, 3, 1, 1, bias=bias))
        assert_same(BlockHead(head)(feature), head(feature))


@STYLES
def test_a_block_for_channels_that_are_filled_up(style: Style) -> None:
    block = shaken(conv_block(style, 13, 6, 3, relu))
    x = torch.randn(2, 13, 9, 9)
    assert fill(13) == 3
    wider = torch.cat([x, torch.zeros(2, 3, 9, 9)], dim=1)
    assert_same(filled(block, 13)(wider), block(x))


@STYLES
def test_a_block_of_two_maps_that_are_not_joined(style: Style) -> None:
    block = shaken(conv_block(style, 8 + 4, 6, 3, leaky_relu))
    small, skip = torch.randn(2, 8, 7, 7), torch.randn(2, 4, 14, 14)
    large = torch.nn.functional.interpolate(small, scale_factor=2, mode="nearest")
    assert_same(SplitBlock(block, 8)(small, skip), block(torch.cat([large, skip], dim=1)))


@STYLES
def test_a_transposed_convolution_corner_by_corner(style: Style) -> None:
    block = shaken(up_block(style, 6, 4, relu))
    x = torch.randn(2, 6, 5, 7)
    assert_same(rewrite(block)(x), block(x))


@pytest.mark.parametrize("resample", Resample)
def test_a_teacher_block_with_its_modulations_in_one_pass(resample: Resample) -> None:
    block = shaken(TeacherResidualBlock(32, 64, resample))
    x, time, condition = torch.randn(2, 32, 16, 16), torch.randn(1, 256), torch.randn(2, 256)
    assert_same(rewrite(block)(x, time, condition), block(x, time, condition), 1e-4)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_stages_give_the_chains_frame_and_the_pictures_of_a_batch_do_not_mix() -> None:
    # Untrained weights would amplify rounding from network to network.
    ref = reference("v3/separable_float")
    networks = build_networks(Family.THA3, Variant.SEPARABLE_FLOAT)
    for name, network in networks.items():
        weights = {key: torch.from_numpy(value) for key, value in ref.weights(name).items()}
        network.load_state_dict(weights, strict=True)
    canvas, pose = torch.rand(2, 4, 512, 512) * 2 - 1, torch.rand(2, 45)
    frames = run_stages(build_stages(Family.THA3, networks), canvas, pose)[FRAME]
    chain = run_chain(Family.THA3, networks, canvas[1:], pose[1:])
    assert_same(frames[1:], final_picture(Family.THA3, chain), 5e-4)


def test_parts_are_scaled_and_laid_out_as_the_whole_is() -> None:
    mask = np.zeros((64, 64), np.bool_)
    mask[5:30, 10:20] = True
    mask[20:64, 55:64] = True
    parts = bands(mask, 16)
    assert len(parts) > len({part.top for part in parts})
    small = torch.randn(2, 3, 32, 32)
    whole = torch.nn.functional.interpolate(small, scale_factor=2, mode="bilinear")
    pieces = [enlarged(small, part) for part in parts]
    covered = torch.zeros(64, 64, dtype=torch.bool)
    for part in parts:
        covered[part.top : part.bottom, part.left : part.right] = True
    laid = assemble(pieces, parts, 64, -1.0)
    assert_same(laid[:, :, covered], whole[:, :, covered])
    assert (laid[:, :, ~covered] == -1).all()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_students_part_of_the_canvas_is_computed_as_the_whole_is() -> None:
    networks = build_networks(Family.THA4_STUDENT)
    for network in networks.values():
        for parameter in network.parameters():
            parameter.mul_(0.1)  # sines of random weights would make noise of the last bit
    mask = np.zeros((512, 512), np.bool_)
    mask[100:300, 130:330] = True
    mask[250:512, 60:90] = True
    canvas, pose = torch.rand(1, 4, 512, 512) * 2 - 1, torch.rand(1, 45)
    frame = run_stages(student_stages(networks, Reach(mask)), canvas, pose)[FRAME][0]
    whole = final_picture(
        Family.THA4_STUDENT, run_chain(Family.THA4_STUDENT, networks, canvas, pose)
    )[0]
    inside = torch.from_numpy(mask)
    assert_same(frame[:, inside], whole[:, inside], 1e-3)
    assert (frame[:, :90] == -1).all()
    assert Reach(mask).share < 0.25


def test_families_say_what_the_author_asks_for() -> None:
    for family, facts in FAMILIES.items():
        assert "Pramook Khungurn" in facts.attribution
        free = family in (Family.THA1, Family.THA2, Family.THA3)
        assert facts.licence == ("CC-BY-4.0" if free else "CC-BY-NC-4.0")


@given(st.lists(st.tuples(st.integers(0, 127), st.integers(0, 127)), max_size=8))
@settings(deadline=None)
def test_bands_cover_the_mask_and_do_not_overlap(points: list[tuple[int, int]]) -> None:
    mask = np.zeros((128, 128), np.bool_)
    for y, x in points:
        mask[y, x] = True
    covered = np.zeros((128, 128), np.int32)
    for part in bands(mask, BAND):
        covered[part.top : part.bottom, part.left : part.right] += 1
    assert covered.max() <= 1
    assert (covered[mask] == 1).all()


def test_smaller_sizes_hold_all_that_larger_ones_read() -> None:
    mask = np.zeros((512, 512), np.bool_)
    mask[33:400, 200:211] = True
    mask[500:, 500:] = True
    levels = Reach(mask).levels((128, 256, 512))
    for side, smaller, larger in zip((128, 256), levels, levels[1:], strict=False):
        known = np.zeros((side, side), np.bool_)
        for part in smaller:
            known[part.top : part.bottom, part.left : part.right] = True
        for part in larger:
            top, left, bottom, right = part.halved(side)
            assert known[top:bottom, left:right].all()


def test_what_is_seen_in_any_picture_is_reached_with_a_margin() -> None:
    empty = np.full((4, 64, 64), -1, np.float32)
    spot, faint = empty.copy(), empty.copy()
    spot[1, 30, 40] = 0.5
    faint[:, 5, 5] += 1e-4
    mask = Reach.seen([spot, faint]).mask
    assert mask[24:37, 34:47].all()
    assert mask.sum() == 13 * 13


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_with_the_head_apart_the_canvass_own_face_gives_the_chains_frame() -> None:
    networks = build_networks(Family.THA3, Variant.SEPARABLE_FLOAT)
    canvas, pose = torch.rand(1, 4, 512, 512) * 2 - 1, torch.rand(1, 6)
    apart = {stage.name: stage.module for stage in still_head_stages(networks)}
    chain = {stage.name: stage.module for stage in build_stages(Family.THA3, networks)}
    face = FACE_BOX.of(canvas)
    shown = apart["show"](canvas, face, *apart["turn"](canvas, pose))[0]
    whole = chain["edit"](*chain["rotate"](canvas, face, pose), pose)[0]
    assert_same(shown, whole, 1e-5)
    other = apart["show"](canvas, -face, *apart["turn"](canvas, pose))[0]
    assert float((other - shown).abs().max()) > 0.1
