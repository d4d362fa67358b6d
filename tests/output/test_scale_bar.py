"""Scale bars are round, true to scale, and neither too long nor too short."""

from __future__ import annotations

import re

import pytest
from astropy import units
from hypothesis import example, given
from hypothesis import strategies as st

from paperclip_cli.output.scale_bar import scale_bar


@given(st.floats(1e-9, 180))
@example(3 / 60)
@example(3.0)
@example(3 / 3600)
def test_a_bar_is_as_long_as_it_says(width: float) -> None:
    bar = scale_bar(width)
    length = units.Quantity(bar.label).to_value("deg")  # read by astropy
    assert bar.part * width == pytest.approx(length, rel=1e-5)
    assert 1 / 3 / 2.5 * 0.99 <= bar.part <= 1 / 3 * (1 + 1e-8)


@given(st.floats(1e-9, 180))
def test_a_bar_is_round(width: float) -> None:
    value, unit = scale_bar(width).label.split()
    assert re.fullmatch("0*[125]0*", f"{float(value):.12f}".replace(".", ""))
    assert float(value) < 60 and (unit == "arcsec" or float(value) >= 1)


def test_hubbles_cameras() -> None:
    found = {field: scale_bar(field / 3600).label for field in (25, 162, 202, 290)}
    assert found == {25: "5 arcsec", 162: "50 arcsec", 202: "1 arcmin", 290: "1 arcmin"}
