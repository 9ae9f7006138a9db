"""Distances between pictures."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="training tests need torch (install training)")

from torch import Tensor  # noqa: E402

from kuchipaku_training.pose import metrics  # noqa: E402


def _line(column: int, level: float = 1.0) -> Tensor:
    picture = torch.zeros(1, 4, 32, 32)
    picture[..., column] = level
    return picture


def test_energy_forgives_a_line_that_is_a_pixel_away_but_not_a_pale_one() -> None:
    weight = torch.ones(1, 1, 32, 32)

    def away(other: Tensor) -> float:
        return float(metrics.energy_distance(other, _line(16), weight))

    assert away(_line(16)) == 0
    missing = away(_line(16, 0.0))
    assert away(_line(17)) < 0.4 * missing
    assert away(_line(16, 0.5)) == pytest.approx(0.5 * missing, rel=0.01)
    # The edge distance, which is per pixel, finds a missing line no worse than one beside it.
    edge = metrics.edge_distance(_line(17), _line(16), weight)
    assert float(edge) >= float(metrics.edge_distance(_line(16, 0.0), _line(16), weight))


def test_energy_counts_where_the_weight_is() -> None:
    weight = torch.zeros(1, 1, 32, 32)
    weight[..., 24:] = 1.0
    assert float(metrics.energy_distance(_line(8), _line(8, 0.0), weight)) == 0
    assert float(metrics.energy_distance(_line(28), _line(28, 0.0), weight)) > 0
