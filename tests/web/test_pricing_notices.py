"""Pages of price notices: who sees what, forms that keep what was typed, objections."""

from __future__ import annotations

import sqlalchemy as sa

from market.clock import FixedClock
from market.db import t
from market.work import WorkItem
from tests.web.pricing import make_result
from tests.web.register import As, Register
from web import wiring
from web.worker import housekeeping

FORM = {
    "title": "高效离心泵专利许可", "abstract": "水力模型", "transfer_mode": "licence", "price_fen": "35万",
    "transferee_name": "温岭某泵业公司", "transferee_id": "", "relation_note": "", "unit_place": "",
    "procedure": "向科研院书面提出，十日内答复",
}  # fmt: skip


def test_a_notice_is_written_published_objected_to_answered_and_signed(
    as_: As, register: Register, clock: FixedClock, parts: wiring.Parts
) -> None:
    result = make_result(register)
    officer = as_("officer")
    assert 'value="高效离心泵"' in officer.get(f"/results/{result}/notices/new").text
    refused = officer.post(f"/results/{result}/notices", data=FORM | {"price_fen": "很贵"})
    assert refused.status_code == 422
    assert 'value="很贵"' in refused.text
    assert "向科研院书面提出" in refused.text
    made = officer.post(f"/results/{result}/notices", data=FORM | {"related_party": "on"})
    assert made.status_code == 422
    assert 'href="#f-relation_note"' in made.text
    data = FORM | {"related_party": "on", "relation_note": "完成人张三持股"}
    address = officer.post(f"/results/{result}/notices", data=data).headers["location"]
    assert as_("visitor").get(address).status_code == 404
    assert as_("buyer").get(address).status_code == 404
    start = {"unit_place": "公告栏", "unit_from": register.now.date().isoformat()}
    assert as_("buyer").post(f"{address}/start", data=start).status_code == 404
    assert as_("officer").post(f"{address}/start", data=start).status_code == 303
    for place in (address, "/notices"):
        seen = as_("visitor").get(place)
        assert "2026-03-17" in seen.text
        assert "Related parties" in seen.text
    assert "完成人张三持股" in as_("visitor").get(address).text
    objection = {"organisation_id": "", "contact": "13800000000", "grounds": "价格偏低"}
    assert as_("visitor").post(f"{address}/objections", data=objection).status_code == 303
    assert as_("buyer").post(f"{address}/objections", data=objection | {"grounds": ""}).status_code == 422
    assert as_("buyer").post(f"{address}/objections", data=objection).status_code == 303
    assert "价格偏低" in as_("buyer").get(address).text
    seen = as_("visitor").get(address).text
    assert "价格偏低" not in seen
    assert "Objection 1" in seen
    assert "高效离心泵专利许可" in as_("officer").get("/workbench").text
    answer = {"answer": "依据评估报告"}
    assert as_("buyer").post(f"{address}/objections/1", data=answer).status_code == 403
    assert as_("officer").post(f"{address}/objections/1", data=answer).status_code == 303
    with register.db.read() as session:
        mails = [
            (row.payload["template"], row.payload["to"], row.payload["params"].get("answer"))
            for row in session.execute(sa.select(t(WorkItem).c.payload).order_by(t(WorkItem).c.id))
            if row.payload.get("template", "").startswith("notice_")
        ]
    assert mails == [
        ("notice_objection", "officer@example.com", None),
        ("notice_objection_answered", "buyer@example.com", "依据评估报告"),
    ]
    changed = data | {"price_fen": "36万", "unit_place": "公告栏", "version": "4"}
    refused = as_("officer").post(f"{address}/edit", data=changed)
    assert (refused.status_code, 'value="36万"' in refused.text) == (422, True)
    clock.advance(days=1)
    again = as_("officer").post(f"{address}/edit", data=changed | {"unit_from": "2026-03-03"})
    assert again.status_code == 303
    assert as_("officer").post(f"{address}/edit", data=changed).status_code == 409
    page = as_("visitor").get(address).text
    assert "2026-03-18" in page
    assert "¥350,000 → ¥360,000" in page
    clock.advance(days=16)
    housekeeping(parts)
    assert as_("buyer").post(f"{address}/objections", data=objection).status_code == 409
    contract = register.draft(
        buyer_id=None, buyer_name="温岭某泵业公司", buyer_region="331081", deal_fen=36_000_000, deductions=[]
    )
    wrong = register.draft()
    refused = as_("officer").post(f"{address}/sign", data={"contract_id": str(wrong)})
    assert refused.status_code == 422
    assert "¥360000.00" in refused.text
    assert as_("officer").post(f"{address}/sign", data={"contract_id": str(contract)}).status_code == 303
    assert "Contract signed" in as_("visitor").get(address).text
    assert "高效离心泵专利许可" in as_("visitor").get("/notices?show=over").text


def test_only_the_owners_people_write_notices(as_: As, register: Register) -> None:
    result = make_result(register)
    for who, status in (("visitor", 303), ("stranger", 403), ("official", 403), ("staff", 200)):
        assert as_(who).get(f"/results/{result}/notices/new").status_code == status, who
    assert as_("officer").get("/results/999/notices/new").status_code == 404
    assert as_("visitor").get("/notices?show=mine").status_code == 200


def test_both_languages_say_it(as_: As, register: Register) -> None:
    chinese = as_("visitor").get("/notices", headers={"accept-language": "zh"}).text
    assert "协议定价在签约前公示" in chinese
    assert "十五日" in chinese
