"""What is told as the reason of a match names something: no units, no prose."""

import pytest

from matching import naming


@pytest.mark.parametrize(
    "word", ["mm", "min", "dB", "N/mm", "mg/m³", "kWh/100", "g/100", "m³/kg", "24h", "W/cm³", "kgce/m²"]
)
def test_measures(word: str) -> None:
    assert naming.is_measure(word)
    assert naming.technical([word, "PLC"]) == ("PLC",)


@pytest.mark.parametrize("word", ["buoy", "loading", "Loading", "air", "die-casting", "on-the-fly", "e-bike"])
def test_prose(word: str) -> None:
    assert naming.is_prose(word)
    assert naming.technical([word]) == ()


@pytest.mark.parametrize(
    "word",
    ["PLC", "pcb", "C5", "EVA", "Ra", "304L", "45CrNiMo", "IE4", "LoRa", "TC4", "数控车床", "AlSi10Mg"],
)
def test_names(word: str) -> None:
    assert naming.technical([word]) == (word,)


def test_latin_words_beside_chinese_ones_are_for_readers_of_english() -> None:
    words = ("压铸模", "cavities", "ie4", "m3", "kw", "pa66")
    assert naming.common(words, chinese=True) == ("压铸模", "ie4", "pa66")
    assert naming.common(words, chinese=False) == ("压铸模", "cavities", "ie4", "pa66")


def test_english_listings_are_told_of_in_english() -> None:
    assert naming.common(("impeller", "mm"), chinese=True) == ("impeller",)
    assert naming.common(("mm", "m3"), chinese=True) == ()
