"""What the documents name exists, and what exists is named."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from auctions import protocol
from web.settings import Settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "CONTRIBUTING.md",
    *(ROOT / "docs").glob("*.md"),
]


def text(*paths: Path) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in paths or DOCUMENTS)


def commands() -> set[str]:
    from typer.main import get_command

    from web.cli import app

    found = get_command(app)
    return set(found.commands)  # type: ignore[attr-defined]


def test_every_setting_is_in_the_table_and_none_besides() -> None:
    table = text(ROOT / "ARCHITECTURE.md").split("<!-- settings -->")[1].split("<!-- /settings -->")[0]
    named = set(re.findall(r"^\| `(MARKET_[A-Z_]+)`", table, re.MULTILINE))
    assert named == {f"MARKET_{name.upper()}" for name in Settings.model_fields}


def test_settings_named_anywhere_exist() -> None:
    known = {f"MARKET_{name.upper()}" for name in Settings.model_fields}
    named = {name for name in re.findall(r"\bMARKET_[A-Z_]+\b", text()) if not name.startswith("MARKET_TEST")}
    assert named - known - {"MARKET_"} == set()


def test_commands_named_exist_and_all_are_named() -> None:
    named = set(re.findall(r"`market ([a-z-]+)", text()))
    assert named - commands() == set()
    assert commands() - named == set()


def test_make_targets_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", text(ROOT / "Makefile"), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)[` ]", text()))
    assert named - targets == set()


def test_files_named_exist() -> None:
    named = set(re.findall(r"`((?:market|auctions|matching|web|migrations|tests|docs)/[\w./-]+)`", text()))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for document in DOCUMENTS:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text(document)):
            if not (document.parent / target).exists():
                broken.append(f"{document.name}: {target}")
    assert broken == []


def test_every_message_type_of_the_socket_is_documented() -> None:
    kinds = {"hello", "bid", "ping"}
    kinds |= set(protocol.SERVER.json_schema()["discriminator"]["mapping"])
    page = text(ROOT / "docs" / "live-room.md")
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in page] == []
    assert [code.name for code in protocol.CloseCode if str(int(code)) not in page] == []


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_lock_files_name_no_address(name: str) -> None:
    lock = text(ROOT / name)
    assert "://" not in lock
    assert "--hash=sha256:" in lock


def test_lock_files_hold_every_direct_dependency() -> None:
    import tomllib

    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]

    def plain(name: str) -> str:
        return re.split(r"[\[<>=;! ]", name)[0].lower().replace("_", "-")

    runtime = {plain(item) for item in project["dependencies"]}
    development = runtime | {plain(item) for item in project["optional-dependencies"]["dev"]}
    for lock, wanted in (("requirements.lock", runtime), ("requirements-dev.lock", development)):
        have = set(re.findall(r"^([a-z0-9-]+)(?:\[[^\]]*\])?==", text(ROOT / lock), re.MULTILINE))
        assert wanted - have == set(), lock


def test_nothing_of_this_machine_or_of_other_folders_is_named() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    bad = re.compile(r"\.\./shared|/work/(?:main|shared)|/root/|/home/\w")
    found = []
    for name in tracked:
        if name in (".ci/run", "tests/architecture/test_documents.py") or not Path(ROOT, name).is_file():
            continue
        try:
            content = Path(ROOT, name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if bad.search(content):
            found.append(name)
    assert found == []
    assert sys.version_info >= (3, 11)
