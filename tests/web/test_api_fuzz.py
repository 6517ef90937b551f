"""The API answers whatever is sent to it as its own schema says: no fault, no undocumented status, type or
form. Every operation is tried by somebody who may do nearly everything, by an ordinary firm, and by nobody.

What is sent is made from the schema, valid and invalid alike. Half of the tries name rows that exist,
and half of the edits hold the right version, so that more than refusals is seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks as openapi_checks

from market.clock import FixedClock
from market.permissions import Role
from matching.indexer import reindex
from tests import factories
from tests.conftest import NOW, make_database
from web import routes, wiring
from web.app import create_app
from web.mail import MemoryMailer
from web.settings import Environment, Settings, WorkerMode

CHECKS = [
    schemathesis.checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]
OPERATIONS = sorted(
    {
        (f"/api/v1{route.path}", method)
        for router in routes.API
        for route in router.routes
        for method in getattr(route, "methods", ())
        if getattr(route, "include_in_schema", False)
    }
)
INSIDER = (Role.STAFF, Role.OFFICIAL, Role.ADMINISTRATOR, Role.BROKER, Role.RESULTS_OFFICER)
FIRM = (Role.DEMAND_OWNER, Role.BIDDER)
_numbers = itertools.count(100)


@dataclass
class Api:
    """The application over a small market, and its schema."""

    parts: wiring.Parts
    schema: Any
    organisations: dict[str, int]

    def token(self, who: str) -> str | None:
        """A token of somebody new: tries may revoke tokens and end memberships."""
        if who == "visitor":
            return None
        with self.parts.db.write() as session:
            roles = INSIDER if who == "insider" else FIRM
            account = factories.account(session, NOW, self.organisations[who], roles[0], next(_numbers))
            for role in roles[1:]:
                factories.bulk(
                    session,
                    factories.MembershipRow,
                    [
                        {
                            "person_id": account.person_id,
                            "organisation_id": self.organisations[who],
                            "role": role.value,
                            "created_at": NOW,
                        }
                    ],
                )
        return account.token


@pytest.fixture(scope="module")
def api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    for database in make_database("sqlite", request, folder):
        configured = Settings(
            environment=Environment.TEST,
            data_dir=folder / "data",
            database_url=database.url.render_as_string(hide_password=False),  # type: ignore[arg-type]
            base_url="http://testserver",
            worker=WorkerMode.SEPARATE,
        )
        parts = wiring.build(
            configured, clock=FixedClock(NOW), monotonic=None, db=database, mailer=MemoryMailer()
        )
        market = factories.fill(database, NOW, results_=12, demands_=8, lots_=3, bids=4)
        assert parts.index.acquire()
        reindex(database, parts.index)
        parts.writer.start()
        schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", _without_lifespan(create_app(parts)))
        people = market.accounts
        yield Api(
            parts,
            schema,
            {
                "insider": people[Role.STAFF].organisation_id,
                "firm": people[Role.DEMAND_OWNER].organisation_id,
            },
        )
        parts.writer.stop()
        parts.index.close()


def _without_lifespan(app: Any) -> Any:
    """The application without its life: the fixture starts what is needed and ends it with the module."""

    async def serve(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        await app(scope, receive, send)

    return serve


def try_operation(api: Api, path: str, method: str, who: str, examples: int) -> None:
    """Send what the schema allows and what it does not; every answer must be as documented."""
    operation = api.schema[path][method]
    token = api.token(who)

    @given(
        case=operation.as_strategy()
        | operation.as_strategy(generation_mode=schemathesis.GenerationMode.NEGATIVE),
        near=st.integers(0, 9),
        match=st.booleans(),
    )
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def run(case: Any, near: int, match: bool) -> None:
        for name in case.path_parameters or {}:
            if near >= 5 and name.endswith("_id"):
                case.path_parameters[name] = near - 4
        headers = {"If-Match": "*"} if match else {}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        response = case.call(headers=headers)
        case.validate_response(response, checks=CHECKS)

    run()


@pytest.mark.parametrize("who", ["insider", "firm", "visitor"])
@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=lambda value: value.replace("/api/v1", ""))
def test_answers_are_as_documented(api: Api, path: str, method: str, who: str) -> None:
    try_operation(api, path, method, who, {"insider": 12, "firm": 8, "visitor": 3}[who])


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("who", ["insider", "firm"])
@pytest.mark.parametrize(("path", "method"), OPERATIONS, ids=lambda value: value.replace("/api/v1", ""))
def test_answers_are_as_documented_for_long(api: Api, path: str, method: str, who: str) -> None:
    try_operation(api, path, method, who, 150)
