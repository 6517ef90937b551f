from __future__ import annotations

from pydantic import BaseModel
from starlette.datastructures import FormData

from web.errors import FieldProblem
from web.forms import Form
from web.routes.preferences import safe_path


class Row(BaseModel):
    name: str
    unit: str = ""


class Thing(BaseModel):
    title: str
    modes: list[str] = []
    rows: list[Row] = []


def test_names_become_lists_and_empty_rows_vanish() -> None:
    form = Form.from_data(
        FormData(
            [
                ("title", " Pump "),
                ("modes", "licence"),
                ("rows.0.name", "flow"),
                ("rows.0.unit", "m³/h"),
                ("rows.1.name", ""),
                ("rows.10.name", "head"),
            ]
        )
    )
    thing = form.parse(Thing)
    assert thing.title == "Pump"
    assert thing.modes == ["licence"]
    assert [row.name for row in thing.rows] == ["flow", "head"]
    assert form.rows("rows", at_least=5) == [0, 1, 10, 11, 12]


def test_what_is_stored_fills_a_form_and_reads_back() -> None:
    thing = Thing(title="Pump", modes=["licence", "equity"], rows=[Row(name="flow")])
    assert Form.from_values(thing.model_dump()).parse(Thing) == thing


def test_problems_stand_at_their_fields() -> None:
    form = Form({"title": ["x"]}).with_problems([FieldProblem("title", "c", "too short")])
    assert form.error("title") == "too short"
    assert form.error("other") == ""


def test_only_paths_of_this_site_are_gone_back_to() -> None:
    assert safe_path("/results?page=2") == "/results?page=2"
    for bad in ("//evil.example", "https://evil.example", "/\\evil", "javascript:x", "", "/a\r\nb"):
        assert safe_path(bad) == "/"
