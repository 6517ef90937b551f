"""A market joined over a test database, and a client that talks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from market.clock import FixedClock
from market.db import Database
from market.parties import access
from market.parties.models import SignInSession
from market.permissions import Actor
from tests.web.register import As, Register, make_register
from web import wiring
from web.app import create_app
from web.deps import COOKIE
from web.mail import MemoryMailer
from web.settings import Environment, Settings, WorkerMode


@pytest.fixture
def parts(database: Database, tmp_path: Path, clock: FixedClock) -> Iterator[wiring.Parts]:
    """Everything joined over the test's database, with a clock that stands still and mail that is kept."""
    settings = Settings(
        environment=Environment.TEST,
        data_dir=tmp_path / "data",
        database_url=database.url.render_as_string(hide_password=False),  # type: ignore[arg-type]
        base_url="http://testserver",
        worker=WorkerMode.SEPARATE,
    )
    joined = wiring.build(settings, clock=clock, monotonic=None, db=database, mailer=MemoryMailer())
    yield joined
    joined.index.close()


@pytest.fixture
def client(parts: wiring.Parts) -> TestClient:
    """A visitor who reads English; background parts are not running."""
    return TestClient(create_app(parts), headers={"accept-language": "en"}, follow_redirects=False)


@pytest.fixture
def live_client(parts: wiring.Parts) -> Iterator[TestClient]:
    """The same with rooms, writer, timekeeper and worker running."""
    with TestClient(create_app(parts), headers={"accept-language": "en"}, follow_redirects=False) as running:
        yield running


@pytest.fixture
def sign_in(parts: wiring.Parts) -> Callable[[TestClient, Actor], TestClient]:
    """Signs a client in as a person, without the page."""

    def run(client: TestClient, actor: Actor) -> TestClient:
        secret, now = access.new_secret(), parts.clock.now()
        with parts.db.write() as session:
            values: dict[str, Any] = {"person_id": actor.person_id, "secret_hash": access.digest(secret)}
            import datetime as dt

            session.add(
                SignInSession(**values, created_at=now, seen_at=now, expires_at=now + dt.timedelta(days=30))
            )
        client.cookies.set(COOKIE, secret)
        return client

    return run


@pytest.fixture
def register(parts: wiring.Parts) -> Register:
    """A register of contracts with everybody who has to do with it."""
    return make_register(parts.db, parts.clock.now())


@pytest.fixture
def as_(client: TestClient, sign_in: Callable[[TestClient, Actor], TestClient], register: Register) -> As:
    """The client as somebody of the register, one after the other."""

    def run(who: str) -> TestClient:
        client.cookies.clear()
        return client if who == "visitor" else sign_in(client, register.actors[who])

    return run
