"""What the embedded index stores of a document, field by field."""

from importlib.metadata import version

import tantivy

from market.clock import SHANGHAI
from matching import pinyin, text
from matching.documents import Document, Key, Kind
from matching.index import price_bands, region_stem

SCHEMA_VERSION = 3
PART = "\x1f"
"""Parts what is typed from what it stands for in the fields that suggestions are read from."""
SHOWN_TITLE = 40
"""Characters of a title whose pinyin can be typed to find it."""
_NO_PRICE = 2**63 - 1
_KINDS = (Kind.RESULT, Kind.DEMAND)


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("key", tokenizer_name="raw", index_option="basic")
    # The title as shown, for suggestions; nothing else can be read back but numbers.
    builder.add_text_field("shown", stored=True, tokenizer_name="raw", index_option="basic")
    for name in ("title", "body", "grams"):
        builder.add_text_field(name, tokenizer_name="terms", index_option="freq")
    for name in ("title_units", "text_units", "owner_units", "inventor_units"):
        builder.add_text_field(name, tokenizer_name="terms", index_option="position")
    for name in ("codes", "ipc", "owner_pinyin", "inventor_pinyin"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("owner_lead", "keyword_lead", "title_lead"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic")
    for name in ("kind", "industry", "mode", "region", "owner_kind", "price"):
        builder.add_text_field(name, tokenizer_name="raw", index_option="basic", fast=True)
    for name in ("trl", "year"):
        builder.add_unsigned_field(name, indexed=True, fast=True)
    for name in ("price_low", "price_high"):
        builder.add_unsigned_field(name, indexed=True, fast=True)
    for name in ("number", "recency", "price_up", "price_down"):
        builder.add_unsigned_field(name, fast=True)
    return builder.build()


SCHEMA = _schema()
FINGERPRINT = f"{SCHEMA_VERSION}.{text.ANALYSIS_VERSION}.{version('tantivy').rsplit('.', 1)[0]}"


def number_of(key: Key) -> int:
    """The key as one number, which also orders equals always alike."""
    return key.id * 2 + (key.kind is Kind.DEMAND)


def key_of(number: int) -> Key:
    """The key that `number_of` counted."""
    return Key(_KINDS[number & 1], number >> 1)


def ranked(value: int, key: Key) -> int:
    """A sortable number that no two entries share (up to 2^43 of value, with half a million ids)."""
    return min(max(value, 0), 2**43 - 1) << 20 | number_of(key) & 0xFFFFF


def entry(document: Document) -> tantivy.Document:
    """What is stored of a document."""
    entry = tantivy.Document()
    key = document.key
    entry.add_text("key", str(key))
    _words(entry, document)
    _names(entry, document)
    codes = {code for number in document.numbers for code in text.code_keys(number)}
    for code in sorted(codes):
        entry.add_text("codes", code)
    for level in sorted({level for symbol in document.ipc for level in text.ipc_keys(symbol)}):
        entry.add_text("ipc", level)
    _facets(entry, document)
    entry.add_unsigned("number", number_of(key))
    published = int(document.published_at.timestamp()) if document.published_at else 0
    entry.add_unsigned("recency", ranked(published, key))
    # Without a price an entry comes last in either direction.
    low, high = document.price_low, document.price_high
    entry.add_unsigned("price_up", ranked(_NO_PRICE if low is None else low, key))
    entry.add_unsigned("price_down", ranked(-1 if high is None else high + 1, key))
    return entry


def _words(entry: tantivy.Document, document: Document) -> None:
    title = text.terms(document.title)
    entry.add_text("title", " ".join(title))
    # A title's terms count twice among all, for they name the thing; one field for everything keeps a query
    # a flat list of terms, which the engine answers several times faster than terms in several fields.
    names = text.terms(" ".join((*document.names, *document.inventors)))
    entry.add_text("body", " ".join((*title, *text.terms(document.whole_text), *names)))
    entry.add_text("grams", " ".join(text.grams(document.title)))
    entry.add_text("title_units", " ".join(text.adjacent(document.title)))
    parts = (*document.keywords, document.text)
    entry.add_text("text_units", f" {text.BREAK} ".join(" ".join(text.adjacent(part)) for part in parts))


def _names(entry: tantivy.Document, document: Document) -> None:
    owners = tuple(dict.fromkeys(name for name in (document.owner_name, *document.names) if name))
    for field, names in (("owner", owners), ("inventor", document.inventors)):
        units = f" {text.BREAK} ".join(" ".join(text.adjacent(name)) for name in names)
        entry.add_text(f"{field}_units", units)
        for form in sorted({form for name in names for form in pinyin.names(name)}):
            entry.add_text(f"{field}_pinyin", form)
    entry.add_text("shown", document.title)
    leads = {form for name in owners for form in pinyin.beginnings(name)} if document.owner_id else set()
    for lead in sorted(leads):
        entry.add_text("owner_lead", f"{lead}{PART}{document.owner_id}{PART}{document.owner_name}")
    for word in document.keywords:
        for lead in pinyin.beginnings(word):
            entry.add_text("keyword_lead", f"{lead}{PART}{word}")
    read = pinyin.syllables(document.title[:SHOWN_TITLE])
    for lead in ("".join(read), "".join(syllable[0] for syllable in read)):
        if len(lead) > 1:
            entry.add_text("title_lead", f"{lead}{PART}{number_of(document.key)}")


def _facets(entry: tantivy.Document, document: Document) -> None:
    entry.add_text("kind", document.key.kind.value)
    if document.industry:
        entry.add_text("industry", document.industry)
    for mode in document.modes:
        entry.add_text("mode", mode)
    stem = region_stem(document.region)
    for length in range(2, len(stem) + 1, 2):
        # Codes of GB/T 2260 nest by pairs of digits: each level is its own value.
        entry.add_text("region", stem[:length])
    if document.owner_kind:
        entry.add_text("owner_kind", document.owner_kind)
    if document.trl is not None:
        entry.add_unsigned("trl", document.trl)
    if document.published_at:
        entry.add_unsigned("year", document.published_at.astimezone(SHANGHAI).year)
    if document.price_low is not None and document.price_high is not None:
        entry.add_unsigned("price_low", document.price_low)
        entry.add_unsigned("price_high", document.price_high)
        for band in price_bands(document.price_low, document.price_high):
            entry.add_text("price", band)
