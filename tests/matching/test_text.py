import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching import text


def joined(segments: list[text.Segment]) -> str:
    return "".join(segment.text for segment in segments)


def marked(segments: list[text.Segment]) -> list[str]:
    return [segment.text for segment in segments if segment.matched]


class TestTerms:
    def test_words_and_bigrams_without_stop_words(self) -> None:
        found = text.terms("高效节能水泵的变频控制")
        assert {"高效", "节能", "水泵", "变频", "控制"} <= set(found)
        assert "效节" in found
        assert "的" not in found
        assert len(found) == len(set(found))

    def test_full_width_and_case_meet(self) -> None:
        assert text.terms("ＡＢＣ　Pump") == text.terms("abc pump")

    @pytest.mark.parametrize(
        ("traditional", "simplified"),
        [
            ("離心泵葉輪", "离心泵叶轮"),
            ("乾燥機", "干燥机"),
            ("乾坤", "乾坤"),
            ("瞭解", "了解"),
            ("瞭望", "瞭望"),
        ],
    )
    def test_traditional_characters_meet_simplified_ones(self, traditional: str, simplified: str) -> None:
        assert text.fold(traditional) == simplified
        assert text.terms(traditional) == text.terms(simplified)

    def test_bigrams_do_not_cross_punctuation(self) -> None:
        assert "泵电" not in text.bigrams("水泵，电机")

    def test_repeats_are_kept_for_their_frequency(self) -> None:
        assert text.terms("水泵 水泵").count("水泵") == 2

    @given(st.text(max_size=200))
    def test_a_term_never_holds_a_blank(self, written: str) -> None:
        # The index splits at blanks: a term with one would be two others.
        assert all(term and not any(c.isspace() for c in term) for term in text.terms(written))
        assert all(gram and not any(c.isspace() for c in gram) for gram in text.grams(written))


class TestAdjacent:
    def test_characters_and_latin_words_in_a_row(self) -> None:
        assert text.adjacent("ＰＭ 電機") == ["pm", "电", "机"]
        assert text.adjacent("PM电机") == text.adjacent("PM 电机")

    def test_punctuation_breaks(self) -> None:
        assert text.adjacent("泵，（阀）。") == ["泵", text.BREAK, "阀"]
        assert text.adjacent("？！") == []

    def test_what_is_too_long_to_be_a_word_breaks_too(self) -> None:
        assert text.adjacent("泵" + "a" * 99 + "阀") == ["泵", text.BREAK, "阀"]

    @given(st.text(max_size=200))
    def test_a_unit_never_holds_a_blank(self, written: str) -> None:
        # What Rust takes for a blank would be cut in two by the index.
        assert all(unit.strip() == unit != "" and len(unit.split()) == 1 for unit in text.adjacent(written))


class TestCodes:
    def test_a_classification_symbol_is_found_by_each_level(self) -> None:
        assert text.ipc_keys("F04D 29/42") == ("F04", "F04D", "F04D29", "F04D2942")
        assert text.ipc_keys("F04D") == ("F04", "F04D")
        assert text.ipc_keys("F") == ()

    @pytest.mark.parametrize(
        "written",
        ["ZL200710308494.X", "CN 2007 1 0308494 . X", "200710308494x", "２００７１０３０８４９４Ｘ"],
    )
    def test_spellings_of_a_patent_number_meet(self, written: str) -> None:
        assert text.code_key(written) == "200710308494X"

    def test_a_patent_is_also_found_without_its_check_digit(self) -> None:
        assert text.code_keys("200710308494.X") == ("200710308494X", "200710308494")

    def test_words_are_no_codes(self) -> None:
        assert not text.looks_like_code("水泵")
        assert not text.looks_like_code("pump")
        assert text.looks_like_code("F04D 29/42")


class TestHighlight:
    def test_traditional_text_is_marked_as_it_is_written(self) -> None:
        assert marked(text.highlight("高效離心泵與乾燥機", ["离心泵", "干燥"])) == ["離心泵", "乾燥"]
        assert joined(text.highlight("㍿離心泵", ["离心泵"])) == "㍿離心泵"
        assert marked(text.highlight("㍿離心泵", ["离心泵"])) == ["離心泵"]

    def test_marks_across_spellings_and_merges_neighbours(self) -> None:
        segments = text.highlight("ＡＢＣ水泵的电机", ["abc", "水泵", "电机"])
        assert marked(segments) == ["ＡＢＣ水泵", "电机"]

    def test_latin_terms_match_whole_words_only(self) -> None:
        assert marked(text.highlight("smart art", ["art"])) == ["art"]

    def test_a_compound_is_not_marked_where_it_cuts_a_word(self) -> None:
        assert marked(text.highlight("异步电机与步电机", ["步电机"])) == ["步电机"]
        assert marked(text.highlight("步进电动机驱动", ["步进电动机"])) == ["步进电动机"]
        assert marked(text.highlight("三相异步电机", ["电机"])) == ["电机"]
        assert marked(text.highlight("二氧化碳压缩机" * 9, ["碳压缩"])) == []

    @pytest.mark.parametrize(
        ("typed", "worth"),
        [
            ("步进电机", ["步进", "电机"]),
            ("异步电机", ["异步电机", "异步", "电机"]),
            ("离心蹦 节能", ["离心蹦", "离心", "节能"]),
            ("括蒼理工大學", ["括苍", "理工大学", "理工", "大学"]),
            ("泵", ["泵"]),
            ("的", ["的"]),
            ("PM电机 ＣＮＣ", ["pm", "电机", "cnc"]),
            ("？！", []),
        ],
    )
    def test_what_of_a_query_is_worth_marking(self, typed: str, worth: list[str]) -> None:
        assert text.marks(typed) == worth

    def test_no_markup_is_made(self) -> None:
        segments = text.highlight("<b>水泵</b>", ["水泵"])
        assert joined(segments) == "<b>水泵</b>"

    def test_excerpt_shows_where_the_words_are(self) -> None:
        segments = text.excerpt("一" * 300 + "水泵" + "二" * 300, ["水泵"], 60)
        assert marked(segments) == ["水泵"]
        assert segments[0].text == segments[-1].text == "…"
        assert len(joined(segments)) <= 62

    @given(st.text(max_size=120), st.lists(st.text(max_size=4), max_size=5))
    def test_the_pieces_are_the_text(self, written: str, wanted: list[str]) -> None:
        assert joined(text.highlight(written, [text.fold(one) for one in wanted])) == written
