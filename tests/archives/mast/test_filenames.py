"""The rule for previews, over every form of name that the archives are known to use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paperclip_cli.archives.mast.filenames import Kind, hst_name, jwst_name


@pytest.mark.parametrize(
    "name, kind",
    [
        ("hst_15354_01_acs_wfc_total_jdi601_drc.jpg", Kind.WANTED),
        ("hst_9774_01_acs_wfc_total_j8ph01_drc.jpg", Kind.WANTED),
        ("hst_13926_b1_wfc3_ir_total_ick9b1_drz.jpg", Kind.WANTED),
        ("hst_10003_01_wfpc2_pc_total_u8vg01_drz.jpg", Kind.WANTED),
        ("hst_17902_02_wfc3_uvis_total_ifjp02_drc_color.jpg", Kind.COLOR),
        ("hst_17902_02_wfc3_uvis_total_ifjp02_f606w_f814w_drc.jpg", Kind.COLOR),
        ("hst_15354_01_acs_wfc_total_jdi601_drc_thumb.jpg", Kind.THUMBNAIL),
        ("hst_17902_02_wfc3_uvis_total_ifjp02_drc_color_thumb.jpg", Kind.THUMBNAIL),
        ("hst_13926_05_wfc3_uvis_f657n_ick905_drc.jpg", Kind.ONE_FILTER),
        ("hst_15354_01_acs_wfc_f814w_jdi601ab_drc.jpg", Kind.ONE_FILTER),
        ("jbevetdqq_raw.jpg", Kind.ONE_FILTER),
        ("jbeveoesq_flc.jpg", Kind.ONE_FILTER),
        ("hst_skycell-p1234x01y02_acs_wfc_total_all_drc.jpg", Kind.SKY_CELL),
        ("hst_skycell-p1234x01y02_wfc3_uvis_total_all_drc_color.jpg", Kind.SKY_CELL),
        ("o4xl01010_x1d.png", Kind.OTHER),
        ("../hst_15354_01_acs_wfc_total_jdi601_drc.jpg", Kind.OTHER),
        ("/etc/hst_15354_01_acs_wfc_total_jdi601_drc.jpg", Kind.OTHER),
        ("hst_15354_01_acs_wfc_total_jdi601_drc.jpg\0", Kind.OTHER),
        ("hst_15354_01_acs_wfc_total_jdi601_drc.jpg\n", Kind.OTHER),
        ("", Kind.OTHER),
    ],
)
def test_hubble(name: str, kind: Kind) -> None:
    assert hst_name(name).kind is kind


def test_parts_of_a_name() -> None:
    found = hst_name("hst_9774_b1_wfc3_ir_total_j8phb1_drz.jpg")
    assert (found.proposal_id, found.visit) == (9774, "b1")
    assert (found.instrument, found.detector) == ("wfc3", "ir")

    found = jwst_name("jw01073-o001_t002_nircam_clear-f444w_i2d.jpg")
    assert (found.proposal_id, found.visit) == (1073, "o001")
    assert (found.instrument, found.target) == ("nircam", "t002")


@pytest.mark.parametrize(
    "name, kind",
    [
        ("jw02739-o001_t001_nircam_clear-f444w_i2d.jpg", Kind.WANTED),
        ("jw02733-o002_t001_miri_f1280w_i2d.jpg", Kind.WANTED),
        ("jw01090-c1001_t004_niriss_clear-f200w_i2d.jpg", Kind.WANTED),
        ("jw02739-o001_t001_nircam_clear-f444w-sub160_i2d.jpg", Kind.WANTED),
        ("jw02739-o001_t001_nircam_clear-f444w_thumb.jpg", Kind.THUMBNAIL),
        ("jw02739-o001_t001_nircam_f212n-wlp8-nrca3_i2d.jpg", Kind.NOT_IMAGING),
        ("jw01386-o002_t001_nircam_f444w-mask335r-sub320a335r_i2d.jpg", Kind.NOT_IMAGING),
        ("jw01386-o030_t002_miri_f1550c-mask1550_i2d.jpg", Kind.NOT_IMAGING),
        ("jw01090-o001_t004_niriss_gr150r-f200w_i2d.jpg", Kind.NOT_IMAGING),
        ("jw01128-o009_t007_nirspec_g395h-f290lp_i2d.jpg", Kind.NOT_IMAGING),
        ("jw01345-o001_s00123_nircam_f322w2-grismr_i2d.jpg", Kind.NOT_IMAGING),
        ("jw01073001001_02101_00001_nrca1_cal.jpg", Kind.ONE_FILTER),
        ("../jw02739-o001_t001_nircam_clear-f444w_i2d.jpg", Kind.OTHER),
    ],
)
def test_jwst(name: str, kind: Kind) -> None:
    assert jwst_name(name).kind is kind


@given(st.text(alphabet=st.sampled_from("hstjw_0123456789-aotdrcl./\\\0\ncfwi2 "), max_size=60))
def test_a_wanted_name_is_a_plain_file_name(name: str) -> None:
    for found in (hst_name(name), jwst_name(name)):
        if found.kind in (Kind.WANTED, Kind.COLOR):
            assert not set(name) & set("/\\\0\n ") and ".." not in name
