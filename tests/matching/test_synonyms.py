"""Queries in other words, and the rows behind."""

import datetime as dt

import sqlalchemy as sa

from market.clock import UTC
from market.db import Database, t
from market.dirty import read_marks
from matching import synonyms, text
from matching.models import Synonyms
from matching.synonyms import MOST_READINGS, Thesaurus

NOW = dt.datetime(2026, 3, 2, tzinfo=UTC)


def read(thesaurus: Thesaurus, typed: str) -> list[str]:
    return [" ".join(reading.text.split()) for reading in thesaurus.readings(typed)]


def test_each_word_of_a_group_finds_the_others() -> None:
    thesaurus = Thesaurus([("永磁电机", "PM电机", "PMSM")])
    assert read(thesaurus, "永磁电机控制") == ["永磁电机控制", "pm电机 控制", "pmsm 控制"]
    assert read(thesaurus, "pm 电机") == ["pm 电机", "永磁电机", "pmsm"]
    assert read(thesaurus, "水稻") == ["水稻"]
    assert read(Thesaurus(), "水稻") == ["水稻"]


def test_traditional_and_full_width_spellings_are_the_same_word() -> None:
    assert read(Thesaurus([("永磁電機", "ＰＭＳＭ")]), "pmsm") == ["pmsm", "永磁电机"]


def test_latin_words_count_only_whole() -> None:
    thesaurus = Thesaurus([("CT", "计算机断层扫描")])
    assert read(thesaurus, "action") == ["action"]
    assert read(thesaurus, "CT检测") == ["ct检测", "计算机断层扫描 检测"]


def test_the_longest_word_wins() -> None:
    thesaurus = Thesaurus([("电机", "马达"), ("永磁电机", "PMSM")])
    assert read(thesaurus, "永磁电机") == ["永磁电机", "pmsm"]


def test_a_word_in_two_groups_has_the_words_of_both() -> None:
    assert read(Thesaurus([("甲机", "乙机"), ("甲机", "丙机")]), "甲机") == ["甲机", "乙机", "丙机"]


def test_readings_are_bounded_and_each_piece_that_differs_is_told() -> None:
    many = [tuple(f"{name}{number}号" for number in "一二三四五六") for name in "甲乙丙丁"]
    found = Thesaurus(many).readings("甲一号乙一号丙一号丁一号")
    assert len(found) == MOST_READINGS
    assert found[0].differs == ("甲一号", "乙一号", "丙一号", "丁一号")
    assert all(
        sum(a != b for a, b in zip(one.differs, found[0].differs, strict=True)) == 1 for one in found[1:]
    )


def test_no_word_is_shipped_twice_and_each_group_has_two() -> None:
    words = [word for group, _ in synonyms.shipped() for word in group]
    assert len(words) == len(set(words))
    assert all(len(group) > 1 and note for group, note in synonyms.shipped())
    assert words == [text.fold(word) for word in words]


def test_the_seed_fills_an_empty_table_once(database: Database) -> None:
    with database.write() as session:
        assert synonyms.seed_synonyms(session, NOW) == len(synonyms.shipped())
    with database.write() as session:
        assert synonyms.seed_synonyms(session, NOW) == 0
        assert synonyms.groups(session) == tuple(group for group, _ in synonyms.shipped())
        assert [mark.kind for mark in read_marks(session)] == [synonyms.MARK]
        session.execute(sa.delete(t(Synonyms)).where(t(Synonyms).c.id > 1))
    with database.write() as session:
        synonyms.seed_synonyms(session, NOW)
        assert len(synonyms.groups(session)) == 1
