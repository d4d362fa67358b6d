"""Previews made from rows: the rule, duplicates, filters of siblings, parallels."""

from __future__ import annotations

from typing import Any

import pytest

from paperclip_cli.archives.mast.missions import HST, JWST
from paperclip_cli.archives.mast.rows import (
    direct_product,
    filters_of,
    flag,
    list_previews,
    number,
    parallels,
)

TOTAL = "hst_15354_01_acs_wfc_total_jdi601"


def observed(obs_id: str, **values: Any) -> dict[str, Any]:
    return {
        "obs_id": obs_id,
        "obsid": "7",
        "proposal_id": "15354",
        "instrument_name": "ACS/WFC",
        "filters": "detection",
        "target_name": "N",
        "s_ra": 22.4,
        "s_dec": -73.5,
        "t_min": 58000.0,
        "t_max": 58000.1,
        "t_exptime": 100.0,
        "s_region": None,
        "mtFlag": None,
        **values,
    }


def product(name: str, **values: Any) -> dict[str, Any]:
    return {
        "productType": "PREVIEW",
        "productFilename": name,
        "dataURI": f"mast:HST/product/{name}",
        "obs_id": TOTAL,
        "obsID": "7",
        "size": 4_000_000,
        **values,
    }


def names(products: list[dict[str, Any]], include_color: bool = False) -> list[str]:
    listing = list_previews(HST, [observed(TOTAL)], products, include_color)[15354]
    return [listed.name for listed in listing.previews.values()]


def test_one_preview_an_address_however_often_it_is_listed() -> None:
    products = [
        *(product(f"{TOTAL}_drc.jpg", obsID=parent) for parent in ("7", "8", "9")),
        product(f"{TOTAL}_drc.fits", productType="SCIENCE"),
    ]
    listing = list_previews(HST, [observed(TOTAL)], products, False)[15354]
    (listed,) = listing.previews.values()
    assert listed.observation.preview_uri == f"mast:HST/product/{TOTAL}_drc.jpg"
    assert listed.observation.product_uri == f"mast:HST/product/{TOTAL}_drc.fits"
    assert not listing.left_out


def test_the_rule_counts_what_it_leaves_out() -> None:
    products = [
        product(name)
        for name in (
            f"{TOTAL}_drc.jpg",
            f"{TOTAL}_drc_color.jpg",
            f"{TOTAL}_drc_thumb.jpg",
            "jdi601abq_flc.jpg",
            "hst_skycell-p1234x01y02_acs_wfc_total_all_drc.jpg",
        )
    ]
    listing = list_previews(HST, [observed(TOTAL)], products, False)[15354]
    assert len(listing.previews) == 1
    assert sum(listing.left_out.values()) == 4 == len(listing.left_out)
    assert names(products, include_color=True) == [f"{TOTAL}_drc.jpg", f"{TOTAL}_drc_color.jpg"]


@pytest.mark.parametrize(
    "name, uri",
    [
        (f"../{TOTAL}_drc.jpg", None),
        (f"/etc/{TOTAL}_drc.jpg", None),
        (f"{TOTAL}_drc.jpg\0.png", None),
        (f"{TOTAL}_drc.jpg", f"mast:HST/product/../{TOTAL}_drc.jpg"),
        (f"{TOTAL}_drc.jpg", "file:///etc/passwd"),
        (f"{TOTAL}_drc.jpg", "https://elsewhere.example/x.jpg"),
        (None, None),
        (5, 6),
    ],
)
def test_names_and_addresses_that_lead_elsewhere_are_left_out(name: Any, uri: str | None) -> None:
    row = product("x") | {"productFilename": name, "dataURI": uri or f"mast:HST/product/{name}"}
    assert names([row]) == []


def test_another_proposals_preview_is_not_this_ones() -> None:
    assert names([product("hst_9774_01_acs_wfc_total_j8ph01_drc.jpg")]) == []


def test_a_total_has_the_filters_of_its_siblings() -> None:
    siblings = [
        observed(f"hst_15354_{name}", filters=name.split("_")[3].upper())
        for name in (
            "01_acs_wfc_f606w_jdi601",
            "01_acs_wfc_f814w_jdi601",
            "02_acs_wfc_f435w_jdi602",
            "01_wfc3_ir_f160w_idi601",
        )
    ]
    assert filters_of(observed(TOTAL), siblings) == ("F606W", "F814W")
    assert filters_of(observed(TOTAL, filters="F555W;CLEAR2L"), siblings) == ("F555W",)
    assert filters_of(observed(TOTAL), []) == ()


def test_the_row_of_a_preview_is_found_by_name_or_by_number() -> None:
    rows = [
        observed(TOTAL, target_name="BY NAME"),
        observed("else", obsid="8", target_name="BY NUMBER"),
    ]

    named = product(f"{TOTAL}_drc.jpg", obs_id="else", obsID="8")
    (found,) = list_previews(HST, rows, [named], False)[15354].previews.values()
    assert found.observation.target == "BY NAME"

    numbered = product(f"{TOTAL}_drc.jpg", obs_id="gone", obsID="8")
    (found,) = list_previews(HST, rows[1:], [numbered], False)[15354].previews.values()
    assert found.observation.target == "BY NUMBER"


def test_jwst_needs_no_product_list_where_the_row_names_the_preview() -> None:
    name = "jw01200-o001_t001_nircam_clear-f200w_i2d.jpg"
    row = observed(
        name.removesuffix("_i2d.jpg"),
        proposal_id="1200",
        jpegURL=f"mast:JWST/product/{name}",
        filters="F200W;CLEAR",
        instrument_name="NIRCAM/IMAGE",
    )
    direct = direct_product(JWST, row)
    assert direct is not None
    (listed,) = list_previews(JWST, [row], [direct], False)[1200].previews.values()
    assert listed.group == "t001 o001"
    assert listed.observation.filters == ("F200W",) and listed.observation.detector is None

    assert direct_product(JWST, {**row, "jpegURL": "https://archive.stsci.edu/x/" + name}) is None
    assert direct_product(JWST, {**row, "jpegURL": None}) is None
    older = "https://archive.stsci.edu/hst/previews/U27X/U27XCS01T.jpg"
    assert direct_product(HST, observed("U27XCS01T", jpegURL=older)) is None


def test_proposals_that_are_no_numbers_are_passed_over() -> None:
    rows = [observed(TOTAL, proposal_id="NHJRD"), observed(TOTAL, proposal_id=None)]
    assert list_previews(HST, rows, [product(f"{TOTAL}_drc.jpg")], False) == {}


def visit(number: int, instrument: str, ra: float, target: str = "M 31") -> dict[str, Any]:
    name = instrument.replace("/", "_").lower()
    return observed(
        f"hst_15354_{number:02d}_{name}_total_jdi6{number:02d}",
        instrument_name=instrument,
        s_ra=ra,
        s_dec=0.0,
        target_name=target,
        t_min=58000.0 + number,
        t_max=58000.5 + number,
    )


def test_a_parallel_is_known_by_its_target() -> None:
    rows = [visit(1, "ACS/WFC", 10.0), visit(1, "WFC3/UVIS", 10.1, "M31-PAR")]
    assert parallels(rows) == {rows[1]["obs_id"]: True, rows[0]["obs_id"]: False}

    targets = {"x": "PARALLEL-FIELD", "y": "SPARROW", "z": "COMPANY"}
    rows = [observed(name, target_name=target) for name, target in targets.items()]
    assert parallels(rows) == {"x": True}


def test_a_parallel_is_known_by_where_the_other_visits_look() -> None:
    rows = [visit(1, "ACS/WFC", 10.0), visit(1, "WFC3/UVIS", 10.1), visit(2, "WFC3/UVIS", 10.0)]
    assert parallels(rows) == {rows[0]["obs_id"]: False, rows[1]["obs_id"]: True}


def test_what_cannot_be_told_is_left_open() -> None:
    assert parallels([visit(1, "ACS/WFC", 10.0), visit(1, "WFC3/UVIS", 10.1)]) == {}
    both_at_the_target = [visit(1, "ACS/WFC", 10.0), visit(1, "WFC3/UVIS", 10.001)]
    assert parallels(both_at_the_target) == {}
    assert parallels([observed("x", t_min=None), observed("y", s_ra="nan")]) == {}


def test_values_as_mast_writes_them() -> None:
    flags = [flag({"f": value}, "f") for value in (True, "true", "False", 0, None, "maybe")]
    assert flags == [True, True, False, False, None, None]

    written = "1.5", 2, None, "x", float("nan"), float("inf")
    numbers = [number({"n": value}, "n") for value in written]
    assert numbers == [1.5, 2.0, None, None, None, None]
