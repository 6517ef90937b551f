"""Brokers write drafts for the organisations they help, and see what they wrote."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from market.permissions import Role
from tests import factories
from web.deps import COOKIE
from web.wiring import Parts

DRAFTS = {
    "results": {"title": "高效离心泵水力模型", "industry_code": "pumps_motors"},
    "demands": {"title": "潜水电泵机械密封寿命提升", "industry_code": "pumps_motors"},
}


@pytest.mark.parametrize("kind", list(DRAFTS))
def test_a_broker_sees_the_draft_they_made_and_leaves_its_publication_to_the_owner(
    client: TestClient, parts: Parts, kind: str
) -> None:
    market = factories.fill(parts.db, parts.clock.now(), results_=1, demands_=1, lots_=0)
    client.cookies.set(COOKIE, market.accounts[Role.BROKER].cookie)
    owner = market.accounts[Role.DEMAND_OWNER].organisation_id
    made = client.post(f"/api/v1/{kind}", json={**DRAFTS[kind], "organisation_id": owner})
    assert made.status_code == 201, made.text
    row_id = made.json()["id"]
    assert client.get(f"/api/v1/{kind}/{row_id}").status_code == 200
    assert client.get(f"/{kind}/{row_id}").status_code == 200
    assert client.post(f"/api/v1/{kind}/{row_id}/publish").status_code == 403
    client.cookies.clear()
    assert client.get(f"/{kind}/{row_id}").status_code == 404
