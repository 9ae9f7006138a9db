"""The networks start from doing nothing, and the stages compute what the networks do."""

from __future__ import annotations

import dataclasses

import pytest

torch = pytest.importorskip("torch", reason="training tests need torch (install training)")

from kuchipaku_training.pose.dataset import PoseData  # noqa: E402
from kuchipaku_training.pose.evaluate import held_canvases  # noqa: E402
from kuchipaku_training.pose.layout import FACE_COLUMNS, FACE_ROWS  # noqa: E402
from kuchipaku_training.pose.networks import (  # noqa: E402
    FACE_CONFIG,
    ROTATOR_CONFIG,
    FaceNetwork,
    Refinement,
    RotatorNetwork,
    parameter_count,
    warp,
)
from kuchipaku_training.pose.stages import render_frame  # noqa: E402


def test_an_untrained_face_network_nearly_keeps_the_crop() -> None:
    torch.manual_seed(0)
    net = FaceNetwork().eval()
    crop = torch.rand(1, 4, 12, 12).repeat_interleave(8, 2).repeat_interleave(8, 3)
    with torch.inference_mode():
        layers = net(crop, torch.zeros(1, 39))
    assert (layers.picture - crop).abs().mean() < 0.05
    assert layers.alpha.mean() < 0.15


def test_colours_lie_on_the_bare_face_and_that_on_the_moved_one() -> None:
    warped, bare, colour = (torch.full((1, 4, 2, 2), value) for value in (0.2, 0.4, 0.9))
    cases = {(0.0, 0.0): 0.2, (0.0, 1.0): 0.4, (1.0, 0.0): 0.9, (1.0, 1.0): 0.9, (0.5, 1.0): 0.65}
    for (alpha, erased), expected in cases.items():
        masks = torch.tensor([alpha, erased])[None, :, None, None].expand(1, 2, 2, 2)
        picture, behind = FaceNetwork.lay(warped, bare, masks, colour)
        torch.testing.assert_close(picture, torch.full((1, 4, 2, 2), expected))
        torch.testing.assert_close(behind, bare if erased else warped)


def test_a_refinement_begins_as_doing_nothing() -> None:
    torch.manual_seed(0)
    features = [torch.rand(1, width, size, size) for width, size in ((8, 16), (12, 8), (16, 4))]
    refinement = Refinement((8, 12, 16)).eval()
    with torch.inference_mode():
        same = refinement(features)
        refinement.last[0].weight.fill_(0.1)
        changed = refinement(features)
        features[2] = features[2] + 1.0
        told = refinement(features)
    for before, after in zip(features[:2], same[:2], strict=True):
        assert torch.equal(before, after)
    assert not torch.equal(changed[0], same[0])
    assert not torch.equal(told[0], changed[0])  # the finest hears of the coarsest


def test_several_poses_share_one_encoding() -> None:
    torch.manual_seed(0)
    net = FaceNetwork().eval()
    crops, poses = torch.rand(2, 4, 64, 64), torch.rand(4, 39)
    with torch.inference_mode():
        together = net(crops, poses).picture
        apart = [net(crops[i // 2][None], poses[i][None]).picture for i in range(4)]
    torch.testing.assert_close(together, torch.cat(apart), atol=1e-4, rtol=1e-4)


def test_warping_moves_the_picture_by_the_flow() -> None:
    picture = torch.rand(1, 4, 64, 64)
    flow = torch.zeros(1, 2, 64, 64)
    flow[:, 0] = 2.0 * 3 / 64
    moved = warp(picture, flow)
    torch.testing.assert_close(moved[..., :-3], picture[..., 3:], atol=1e-5, rtol=1e-5)


def test_composing_the_change_equals_turning_the_pasted_canvas(data: PoseData) -> None:
    torch.manual_seed(1)
    face, rotator = FaceNetwork().eval(), RotatorNetwork().eval()
    # An untrained rotator hardly moves; make it turn visibly.
    with torch.no_grad():
        rotator.decoder.head.weight[:2] *= 20.0
    canvas = held_canvases(data, 0)[0]
    pose = torch.rand(2, 45)
    with torch.inference_mode():
        frames = render_frame(face, rotator, canvas, pose)
        pasted = canvas.repeat(2, 1, 1, 1)
        crop = canvas[:, :, FACE_ROWS, FACE_COLUMNS]
        pasted[:, :, FACE_ROWS, FACE_COLUMNS] = face(crop, pose[:, :39]).picture
        half = torch.nn.functional.avg_pool2d(canvas, 2)
        whole = rotator(half, pose[:, 39:], pasted).picture
    torch.testing.assert_close(frames, whole, atol=2e-3, rtol=0.0)


def test_the_networks_fit_the_size_of_the_pack() -> None:
    assert parameter_count([FaceNetwork(FACE_CONFIG), RotatorNetwork(ROTATOR_CONFIG)]) < 3e6
    config = dataclasses.replace(FACE_CONFIG, pose_width=8)
    assert config.as_dict()["pose_width"] == 8
