"""Small rules of the house, read off the source's syntax tree."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("market", "auctions", "matching", "web", "migrations")


@functools.cache
def sources() -> tuple[tuple[str, ast.Module], ...]:
    return tuple(
        (str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8")))
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        if "versions" not in path.parts
    )


def attribute_name(node: ast.AST) -> str:
    """`a.b.c` as text; nothing for anything else."""
    if isinstance(node, ast.Attribute):
        inner = attribute_name(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return node.id if isinstance(node, ast.Name) else ""


def calls(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.lineno, attribute_name(node.func) or f"?.{node.func.attr}"
            elif isinstance(node.func, ast.Name):
                yield node.lineno, node.func.id


def offenders(allowed: set[str], bad: object) -> list[str]:
    assert callable(bad)
    return [
        f"{name}:{line} {call}"
        for name, tree in sources()
        if name not in allowed
        for line, call in calls(tree)
        if bad(call)
    ]


def test_only_the_clock_asks_what_time_it_is() -> None:
    def bad(call: str) -> bool:
        return call.endswith(("datetime.now", "datetime.utcnow", "date.today", "datetime.today")) or call in (
            "time.time",
            "time.time_ns",
        )

    assert offenders({"market/clock.py"}, bad) == []


def test_only_the_database_and_the_writer_commit() -> None:
    # The search index commits too: to its own files.
    allowed = {"market/db.py", "auctions/writer.py", "matching/embedded/index.py"}
    assert offenders(allowed, lambda call: call.endswith(".commit")) == []


def test_only_settings_read_the_environment() -> None:
    found = []
    for name, tree in sources():
        # The embedding model's library takes its number of threads from there alone: written, not read.
        if name in ("web/settings.py", "matching/e5_vectors.py"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and attribute_name(node) in ("os.environ", "os.getenv"):
                found.append(f"{name}:{node.lineno}")
    # `market settings` shows which variables are set; it reads no value.
    assert [item for item in found if not item.startswith("web/cli.py")] == []


def test_money_is_never_a_float() -> None:
    found = []
    for name, tree in sources():
        for node in ast.walk(tree):
            if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                target, kind = node.target.id, ast.unparse(node.annotation)
            elif isinstance(node, ast.arg) and node.annotation is not None:
                target, kind = node.arg, ast.unparse(node.annotation)
            else:
                continue
            if target.endswith("_fen") and "float" in kind:
                found.append(f"{name}:{node.lineno} {target}")
            if (
                target.endswith("_fen")
                and "int" not in kind
                and "Amount" not in kind
                and "Mapped" not in kind
            ):
                found.append(f"{name}:{node.lineno} {target}: {kind}")
    assert found == []


def test_services_take_no_clock_and_open_no_transaction() -> None:
    found = []
    for name, tree in sources():
        if not name.endswith(("/service.py", "/rules.py", "/queries.py")):
            continue
        for line, call in calls(tree):
            if call.endswith((".now", ".read", ".write", ".begin", "rollback")) and "file" not in call:
                found.append(f"{name}:{line} {call}")
    assert found == []


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_says_what_it_is(room: str) -> None:
    bare = [
        name
        for name, tree in sources()
        if name.startswith(f"{room}/") and tree.body and not ast.get_docstring(tree)
    ]
    assert bare == []


def test_files_stay_short() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {count}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*.py")
        if "versions" not in path.parts
        and "content" not in path.parts
        and (count := len(path.read_text(encoding="utf-8").splitlines())) > 600
    ]
    assert long == []
