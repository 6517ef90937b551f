"""What was typed, read as people mean it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.query import MOST_CLAUSES, Clause, Field, Query, parse


def test_words_are_parted_by_blanks_of_any_width() -> None:
    assert parse("离心泵  节能　电机") == Query(("离心泵", "节能", "电机"))
    assert parse("") == parse("  ") == Query()
    assert not parse("")


@pytest.mark.parametrize(
    "typed", ['"节能 泵"', "“节能 泵”", "”节能 泵“", "＂节能 泵＂", "「节能 泵」", "『节能  泵』"]
)
def test_quotation_marks_of_every_kind(typed: str) -> None:
    assert parse(typed) == Query((), (Clause("节能 泵", phrase=True),))


def test_a_phrase_needs_no_blanks_around_it() -> None:
    assert parse("泵“节能”电机") == Query(("泵", "电机"), (Clause("节能", phrase=True),))


@pytest.mark.parametrize("minus", ["-", "－", "−"])
def test_exclusions(minus: str) -> None:
    assert parse(f"泵 {minus}汽蚀") == Query(("泵",), (Clause("汽蚀", excluded=True),))
    assert parse(f'{minus}"轴向 力"') == Query((), (Clause("轴向 力", phrase=True, excluded=True),))
    assert parse(f"PM{minus}电机") == Query((f"PM{minus}电机",)), "in the middle of a word it is no minus"


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ("title:叶轮", Field.TITLE),
        ("Title：叶轮", Field.TITLE),
        ("标题:叶轮", Field.TITLE),
        ("標題:叶轮", Field.TITLE),
        ("owner:叶轮", Field.OWNER),
        ("单位：叶轮", Field.OWNER),
        ("number:叶轮", Field.NUMBER),
        ("号:叶轮", Field.NUMBER),
        ("专利号:叶轮", Field.NUMBER),
        ("ipc:叶轮", Field.IPC),
        ("分类号:叶轮", Field.IPC),
        ("inventor:叶轮", Field.INVENTOR),
        ("发明人:叶轮", Field.INVENTOR),
    ],
)
def test_fields_by_either_name(typed: str, field: Field) -> None:
    assert parse(typed) == Query((), (Clause("叶轮", field),))
    assert parse(f"-{typed}").clauses == (Clause("叶轮", field, excluded=True),)


def test_a_field_takes_a_phrase() -> None:
    assert parse("单位:“浙江 大学”").clauses == (Clause("浙江 大学", Field.OWNER, phrase=True),)


@pytest.mark.parametrize(
    ("typed", "clauses"),
    [
        ("title: 叶轮", ("title:叶轮",)),
        ("单位：　浙江大学 -title: 泵", ("owner:浙江大学", "-title:泵")),
        ("ＴＩＴＬＥ：叶轮", ("title:叶轮",)),
        ("title: -泵", ("-泵",)),
        ("title: owner:泵", ("owner:泵",)),
        ("号： 离心泵", ()),
        ("ipc:F04D 29/42 叶轮", ("ipc:F04D 29/42",)),
        ("number:ZL 2007 1 0308494 . X 叶轮", ("number:ZL 2007 1 0308494 . X",)),
        ("number:zl2007 1 0308494.x 叶轮", ("number:zl2007 1 0308494.x",)),
        ("号：ＺＬ２００７１０３０８４９４．Ｘ 2008", ("number:ZL200710308494．X",)),
    ],
)
def test_blanks_and_full_width_letters_change_nothing(typed: str, clauses: tuple[str, ...]) -> None:
    read = parse(typed)
    assert tuple(str(clause) for clause in read.clauses) == clauses
    assert parse(str(read)).clauses == read.clauses


@pytest.mark.parametrize("typed", ["subtitle:泵", "http://example.org", "12:30", "比例1:2"])
def test_other_colons_are_words(typed: str) -> None:
    assert parse(typed) == Query((typed,))


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ('"', ()),
        ("“离心泵", ("离心泵",)),
        ("-", ("-",)),
        ("泵 - 阀", ("泵", "-", "阀")),
        ("title:", ("title:",)),
        ("title:？！", ("title:？！",)),
        ("-…", ("-…",)),
        ('""', ()),
        ("「」", ("」",)),
    ],
)
def test_what_means_nothing_is_taken_as_words(typed: str, words: tuple[str, ...]) -> None:
    assert parse(typed) == Query(words)


def test_a_clause_twice_is_one_and_too_many_are_words() -> None:
    assert parse("-泵 -泵").clauses == (Clause("泵", excluded=True),)
    read = parse(" ".join(f"-泵{number}" for number in range(MOST_CLAUSES + 2)))
    assert len(read.clauses) == MOST_CLAUSES
    assert read.words == (f"-泵{MOST_CLAUSES}", f"-泵{MOST_CLAUSES + 1}")


def test_a_clause_can_be_taken_away() -> None:
    read = parse('泵 "节能" -汽蚀 单位:大学')
    assert str(read) == '泵 "节能" -汽蚀 owner:大学'
    assert [str(clause) for clause in read.clauses] == ['"节能"', "-汽蚀", "owner:大学"]
    assert str(read.without(read.clauses[1])) == '泵 "节能" owner:大学'


def test_phrases_beside_words_can_be_taken_as_words() -> None:
    assert parse("泵 “节能 电机” -汽蚀").loosened == Query(
        ("泵", "节能", "电机"), (Clause("汽蚀", excluded=True),)
    )
    for typed in ("“节能”", "泵 节能", "泵 -“节能”", "泵 title:“节能”"):
        assert parse(typed).loosened is None


def test_numbers_are_read_whole_and_word_by_word() -> None:
    assert parse("2007 1 0308494 X").codes == ("200710308494X", "200710308494", "2007", "0308494")
    assert parse("离心泵 ZL200710308494.X").codes == ("200710308494X",)
    assert parse("离心泵").codes == ()
    assert "200710308494X" in parse("离心泵 zl 2007 1 0308494.x 叶轮").codes
    assert "91331081MA2ABCDE0X" in parse("信用代码 9133 1081 ma2a bcde 0x").codes


@given(st.text(alphabet=st.sampled_from('泵a1 　"“”「」『』-－:：.titleow标题号¶\x1f'), max_size=60))
def test_what_is_written_is_read_the_same_again(typed: str) -> None:
    read = parse(typed)
    again = parse(str(read))
    assert set(again.clauses) >= set(read.clauses)
    assert parse(str(again)) == again


@given(st.text(max_size=300))
def test_nothing_typed_is_an_error(typed: str) -> None:
    read = parse(typed)
    assert all(clause.text for clause in read.clauses)
