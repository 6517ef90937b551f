"""Every sentence and every term stands in both languages."""

from __future__ import annotations

import enum
import importlib
import pkgutil
import re
from pathlib import Path

import jinja2
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from market.errors import MarketError
from web import i18n
from web.render import environment

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "web" / "templates"
OPTIONS = {"trimmed": "true", "silent": "false", "extensions": "jinja2.ext.do"}
"""As in pyproject.toml; not silent, or a template with an unknown tag would be passed over."""
NOT_SHOWN = {
    # Enumerations that no page shows by their labels: codes of refusals have sentences (`error.…`),
    # the others are inner workings.
    "Action", "EmbeddingKind", "Environment", "FileForm", "Form", "IndexState", "MailBackend", "MovementName",
    "Outcome", "Part", "Reach", "ReasonCode", "RefusalCode", "Side", "SubjectKind", "Via", "WorkerMode",
    "market.exchange.fields.Kind", "market.listings.rules.Step", "market.payments.rules.Movement",
    "market.enquiries.rules.Step",
}  # fmt: skip


def _messages() -> dict[str | tuple[str, ...], str]:
    found: dict[str | tuple[str, ...], str] = {}
    extracted = extract_from_dir(
        str(ROOT / "web"),
        method_map=[("templates/**.html", "jinja2"), ("templates/**.txt", "jinja2")],
        options_map=dict.fromkeys(("templates/**.html", "templates/**.txt"), OPTIONS),
    )
    for name, line, message, _comments, _context in extracted:
        found.setdefault(message if isinstance(message, str) else tuple(message), f"{name}:{line}")
    return found


def test_every_sentence_has_its_chinese() -> None:
    with i18n.catalogue_path("zh-Hans", "messages").open("rb") as file:
        catalogue = read_po(file, locale="zh_Hans")
    have = {entry.id: entry for entry in catalogue if entry.id}
    first = {key if isinstance(key, str) else key[0]: entry for key, entry in have.items()}
    absent = [
        f"{place}: {message}"
        for message, place in _messages().items()
        if not (entry := first.get(message if isinstance(message, str) else message[0])) or not entry.string
    ]
    assert absent == []
    assert [entry.id for entry in have.values() if entry.fuzzy] == []


def test_no_translation_is_left_over() -> None:
    used = {message if isinstance(message, str) else message[0] for message in _messages()}
    with i18n.catalogue_path("zh-Hans", "messages").open("rb") as file:
        catalogue = read_po(file, locale="zh_Hans")
    names = [entry.id if isinstance(entry.id, str) else entry.id[0] for entry in catalogue if entry.id]
    assert [name for name in names if name not in used] == []


@pytest.mark.parametrize("domain", ["messages", "terms"])
@pytest.mark.parametrize("language", i18n.LANGUAGES)
def test_placeholders_agree(domain: str, language: str) -> None:
    path = i18n.catalogue_path(language, domain)
    if not path.exists():
        pytest.skip("English sentences stand in the templates") if False else None
        return
    with path.open("rb") as file:
        catalogue = read_po(file)
    wrong = []
    for entry in catalogue:
        if not entry.id or domain == "terms":
            continue
        texts = entry.string if isinstance(entry.string, tuple) else (entry.string,)
        wanted = set(
            re.findall(r"%\((\w+)\)", " ".join(entry.id if isinstance(entry.id, tuple) else (entry.id,)))
        )
        for text in texts:
            if set(re.findall(r"%\((\w+)\)", text)) - wanted:
                wrong.append(entry.id)
    assert wrong == []


def test_terms_stand_in_both_languages() -> None:
    keys = []
    for language in i18n.LANGUAGES:
        with i18n.catalogue_path(language, "terms").open("rb") as file:
            keys.append({entry.id for entry in read_po(file) if entry.id and entry.string})
    assert keys[0] ^ keys[1] == set()


def _all(base: type) -> set[type]:
    for room in ("market", "auctions", "matching", "web"):
        package = importlib.import_module(room)
        for module in pkgutil.walk_packages(package.__path__, f"{room}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found: set[type] = set()
    todo = [base]
    while todo:
        for child in todo.pop().__subclasses__():
            if child not in found and child.__module__.split(".")[0] in (
                "market",
                "auctions",
                "matching",
                "web",
            ):
                found.add(child)
                todo.append(child)
    return found


def test_every_refusal_has_a_sentence() -> None:
    absent = [
        f"error.{error.code}"
        for error in _all(MarketError)
        if issubclass(error, MarketError) and not i18n.has_term(f"error.{error.code}", "zh-Hans")
    ]
    assert absent == []


def test_every_code_of_a_refusal_has_a_sentence() -> None:
    from auctions.rules.refusal import RefusalCode

    assert [code for code in RefusalCode if not i18n.has_term(f"error.{code.value}", "zh-Hans")] == []


def test_every_enumeration_has_labels() -> None:
    absent = [
        f"{kind.__name__}.{member.value}"
        for kind in _all(enum.StrEnum)
        if issubclass(kind, enum.StrEnum)
        and not {kind.__name__, f"{kind.__module__}.{kind.__name__}"} & NOT_SHOWN
        for member in kind
        if not i18n.has_term(f"{kind.__name__}.{member.value}", "zh-Hans")
    ]
    assert absent == []


def test_every_template_compiles() -> None:
    for language in i18n.LANGUAGES:
        env = environment(language)
        for name in env.list_templates(filter_func=lambda name: name.endswith((".html", ".txt"))):
            try:
                env.get_template(name)
            except jinja2.TemplateSyntaxError as error:
                pytest.fail(f"{name}:{error.lineno} {error.message}")


def test_pages_hold_nothing_inline() -> None:
    """A strict content security policy forbids inline styles, scripts and handlers."""
    bad = re.compile(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=\"|javascript:", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in TEMPLATES.rglob("*.html")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if bad.search(line)
    ]
    assert found == []
