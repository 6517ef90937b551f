"""Other spellings of what no entry holds."""

from collections import Counter

import pytest

from matching import spelling, text

TITLES = [
    "离心泵叶轮",
    "数控机床主轴温升补偿",
    "永磁同步电机",
    "水箱清洗",
    "污水处理",
    "离心泵机械密封",
    "有机废气治理",
    "不进水电机",
]
COUNTS = Counter(term for title in TITLES for term in set(text.terms(title)))
ALPHABET = sorted({char for title in TITLES for char in title})


def best(run: str) -> str:
    return next(iter(spelling.respelt(run, ALPHABET, COUNTS.__getitem__)), "")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("离心蹦", "离心泵"),
        ("离新泵", "离心泵"),
        ("污水处里", "污水处理"),
        ("永磁同部电机", "永磁同步电机"),
        ("主轴温生", "主轴温升"),
        ("心离泵", "离心泵"),
        ("离心心泵", "离心泵"),
        ("机械密峰", "机械密封"),
        ("数孔机床", "数控机床"),
    ],
)
def test_one_wrong_character(typed: str, meant: str) -> None:
    assert best(typed) == meant


@pytest.mark.parametrize("typed", ["离心泵", "泵", "", "冰箱", "火星移民", "步进电机", "泵" * 17])
def test_nothing_is_made_of_what_is_right_or_like_nothing(typed: str) -> None:
    assert best(typed) == ""


def test_only_what_sounds_alike_where_the_rest_finds_something() -> None:
    def sure(run: str) -> list[str]:
        return spelling.respelt(run, ALPHABET, COUNTS.__getitem__, sure=True)

    assert sure("离心蹦")[:1] == ["离心泵"]
    assert sure("永磁同部电机")[:1] == ["永磁同步电机"]
    assert sure("心离泵")[:1] == ["离心泵"]
    assert sure("机械密峰")[:1] == ["机械密封"]
    assert sure("有鸡废气")[:1] == ["有机废气"]
    assert sure("离心心泵") == sure("离x泵") == []


def test_a_slip_in_a_latin_word() -> None:
    known = {"graphene": 3, "graphite": 9, "pump": 2, "pumps": 5}
    assert spelling.closest("graphane", known)[0] == "graphene"
    assert spelling.closest("pumo", known) == ["pump"]
    assert spelling.closest("pmup", known) == ["pump"]
    assert spelling.closest("xyzzy", known) == []
    assert spelling.closest("pump", known) == ["pumps"]
