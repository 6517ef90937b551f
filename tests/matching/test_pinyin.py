"""Names in Latin letters."""

import pytest

from matching import pinyin


def test_full_and_initials() -> None:
    assert (pinyin.full("浙江大学"), pinyin.initials("浙江大学")) == ("zhejiangdaxue", "zjdx")
    assert pinyin.full("吕氏") == "lvshi"


@pytest.mark.parametrize(
    ("name", "read"),
    [("重庆大学", "chongqingdaxue"), ("长春理工大学", "changchunligongdaxue"), ("行长", "hangzhang")],
)
def test_characters_with_several_readings_are_read_by_their_word(name: str, read: str) -> None:
    assert pinyin.full(name) == read


def test_traditional_names_read_alike() -> None:
    assert pinyin.names("浙江大學") == pinyin.names("浙江大学")


def test_a_firm_is_found_without_its_place_and_legal_form() -> None:
    found = pinyin.names("温岭市大溪泵业有限公司")
    assert {"wlsdxby", "dxby", "daxibengye", "wenlingshidaxibengyeyouxiangongsi"} <= set(found)
    assert "yxgs" not in found
    assert "youxiangongsi" not in found


def test_persons_and_latin_names() -> None:
    assert set(pinyin.names("王建国")) == {"wangjianguo", "wjg"}
    assert pinyin.names("Zhejiang University") == ()
    assert pinyin.names("") == ()


def test_beginnings_are_what_is_typed_first() -> None:
    found = pinyin.beginnings("浙江大学")
    assert found == (
        "浙江大学", "zhejiangdaxue", "zjdx", "浙大学", "zhedaxue", "zdx", "浙大", "zheda", "zd",
    )  # fmt: skip
    assert "大溪泵业有限公司" in pinyin.beginnings("温岭市大溪泵业有限公司")
    assert "university" in pinyin.beginnings("Zhejiang University")


def test_a_school_is_known_by_what_people_shorten_it_to() -> None:
    found = pinyin.beginnings("括苍理工大学")
    assert {"括理工大学", "klgdx", "kclgdx", "kuoligongdaxue", "括理大"} <= set(found)
    assert {"klgdx", "kclgdx", "kld"} <= set(pinyin.names("括苍理工大学"))
    assert "cqdx" in pinyin.names("重庆大学")
    assert {"重大", "chongda"} <= set(pinyin.beginnings("重庆大学"))
    assert "wenyida" in pinyin.names("温州医科大学")
    assert "wd" not in pinyin.beginnings("温岭市大溪泵业有限公司")
    assert "rb" not in pinyin.beginnings("热误差补偿")


def test_sounds() -> None:
    assert "beng" in pinyin.sounds("泵") & pinyin.sounds("蹦")
    assert pinyin.sounds("x") == frozenset()
    assert pinyin.near("zheng") == pinyin.near("zen")
    assert pinyin.near("nan") == pinyin.near("lan")
    assert pinyin.near("ban") != pinyin.near("ben")
