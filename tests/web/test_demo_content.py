"""The demonstration's content: enough, sound, and the same every time."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import re
from collections import Counter
from importlib import resources

import pytest

from auctions.rules.formats import RULES
from auctions.rules.formats.english import minimum_after
from auctions.rules.terms import Terms
from market.deals import rules as deal_rules
from market.deals.inputs import ContractInput, Deduction
from market.deals.models import ContractKind, ContractState, PriceForm
from market.deals.price import Instalment, Price, settle
from market.demands.inputs import DemandInput, TargetInput
from market.enquiries.inputs import SubjectKind
from market.enquiries.models import EnquiryState
from market.enquiries.rules import ACTIVE, Side
from market.identifiers import parse_credit_code, parse_ipc, parse_patent_number
from market.listings.inputs import PATENT_KINDS, ClaimInput, IpInput, ResultInput
from market.listings.models import ListingState, PricingMode
from market.listings.rules import grade
from market.parties.inputs import OrganisationInput
from market.parties.models import OrganisationKind
from market.permissions import Role
from web.demo.content import payments
from web.demo.content.contracts import LAST_DAY
from web.demo.content.generate import DemoContent, generate
from web.demo.content.lots import DemoLot, Outcome
from web.demo.content.organisations import WENLING
from web.demo.content.statistics import ESTIMATE, OFFICIAL_2024_FEN, yearly_gdp_fen
from web.demo.content.topics import TOPICS

TODAY = dt.date(2026, 11, 23)


@pytest.fixture(scope="module")
def content() -> DemoContent:
    return generate(TODAY)


def _digest(content: DemoContent) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()


class TestWhole:
    def test_the_same_day_and_seed_give_the_same_content(self, content: DemoContent) -> None:
        assert _digest(generate(TODAY)) == _digest(content)
        assert _digest(generate(TODAY, seed=7)) != _digest(content)

    def test_there_is_enough_of_everything(self, content: DemoContent) -> None:
        kinds = Counter(one.kind for one in content.organisations)
        assert len(content.organisations) >= 44
        assert kinds[OrganisationKind.UNIVERSITY] + kinds[OrganisationKind.RESEARCH_INSTITUTE] >= 7
        assert kinds[OrganisationKind.FIRM] >= 28
        assert kinds[OrganisationKind.SERVICE_AGENCY] == 5
        assert kinds[OrganisationKind.GOVERNMENT] == 3
        assert len(content.results) >= 420
        assert len(content.demands) >= 260
        assert len(content.enquiries) >= 40

    @pytest.mark.parametrize("part", ["organisations", "people", "results", "demands", "contracts", "lots"])
    def test_keys_are_unique(self, content: DemoContent, part: str) -> None:
        keys = [one.key for one in getattr(content, part)]
        assert len(keys) == len(set(keys))

    def test_no_text_was_left_half_written(self, content: DemoContent) -> None:
        for text in map(repr, (content.results, content.demands, content.contracts, content.enquiries)):
            assert not re.search(
                r"\{\w*\}|。。|，，|；；|。，|，。|条件下条件下|系统系统|检测检测|测量测量", text
            )


class TestParties:
    def test_organisations_pass_the_market_checks(self, content: DemoContent) -> None:
        for one in content.organisations:
            assert parse_credit_code(one.credit_code) == one.credit_code
            OrganisationInput(
                name=one.name,
                name_en=one.name_en,
                kind=one.kind,
                credit_code=one.credit_code,
                region_code=one.region_code,
                town=one.town,
                nature_code=one.nature_code,
                introduction=one.introduction,
                contact_name=one.contact_name,
                contact_phone=one.contact_phone,
                contact_email=one.contact_email,
                promised_reply_hours=one.promised_reply_hours,
            )
        assert len({one.name for one in content.organisations}) == len(content.organisations)
        assert len({one.credit_code for one in content.organisations}) == len(content.organisations)

    def test_nobody_can_be_reached(self, content: DemoContent) -> None:
        for one in content.organisations:
            assert one.contact_email.endswith("@example.com")
            assert one.contact_phone.startswith("0576-0")
        for person in content.people:
            assert person.email.endswith("@example.com")

    def test_every_role_has_an_account_on_the_sign_in_page(self, content: DemoContent) -> None:
        featured = Counter(person.role for person in content.people if person.featured)
        assert featured == {role: 2 if role is Role.BIDDER else 1 for role in Role}
        bidders = {p.organisation for p in content.people if p.featured and p.role is Role.BIDDER}
        assert len(bidders) == 2
        known = {one.key for one in content.organisations}
        assert {person.organisation for person in content.people} <= known
        assert len({person.email for person in content.people}) == len(content.people)


class TestTopics:
    def test_every_topic_has_somebody_who_offers_and_somebody_who_wants(self, content: DemoContent) -> None:
        offered = {one.topic for one in content.results}
        wanted = {one.topic for one in content.demands}
        assert offered == wanted == {topic.key for _, topic in TOPICS}

    def test_industries_are_those_of_the_market(self, content: DemoContent) -> None:
        table = resources.files("market.taxonomy").joinpath("industries.csv").read_text(encoding="utf-8")
        known = {row["code"] for row in csv.DictReader(table.splitlines())}
        assert {one.industry_code for one in content.results} <= known
        assert {one.industry_code for one in content.demands} <= known
        assert {one.industry_code for one in content.contracts} <= known

    def test_figures_always_get_better(self) -> None:
        for _, topic in TOPICS:
            for metric in topic.metrics:
                worst, best = min(metric.after), max(metric.after)
                if metric.higher_is_better:
                    assert worst > max(metric.before), (topic.key, metric.zh)
                else:
                    assert best < min(metric.before), (topic.key, metric.zh)


class TestResults:
    def test_they_pass_the_market_checks(self, content: DemoContent) -> None:
        for one in content.results:
            ResultInput(
                title=one.title,
                title_en=one.title_en,
                abstract=one.abstract,
                advantages=one.advantages,
                application=one.application,
                keywords=list(one.keywords),
                industry_code=one.industry_code,
                ipc=list(one.ipc),
                trl=one.trl,
                stage=one.stage,
                modes=list(one.modes),
                pricing_mode=one.pricing_mode,
                price_low_fen=one.price_low_fen,
                price_high_fen=one.price_high_fen,
                inventors=list(one.inventors),
                claims=[ClaimInput(**vars(claim)) for claim in one.claims],
                ip=[IpInput(**vars(right)) for right in one.rights],
            )

    def test_nothing_is_empty(self, content: DemoContent) -> None:
        for one in content.results:
            for name in ("title", "title_en", "abstract", "summary_en", "advantages", "application"):
                assert getattr(one, name).strip(), (one.key, name)
            for name in ("keywords", "ipc", "modes", "inventors", "claims", "rights"):
                assert getattr(one, name), (one.key, name)
            assert 120 <= len(one.abstract) <= 300
            assert one.pricing_mode is PricingMode.NEGOTIATED or one.price_low_fen is not None

    def test_titles_and_abstracts_are_unique(self, content: DemoContent) -> None:
        assert len({one.title for one in content.results}) == len(content.results)
        assert len({one.abstract for one in content.results}) == len(content.results)

    def test_english_is_english(self, content: DemoContent) -> None:
        chinese = re.compile(r"[\u4e00-\u9fff]")
        for one in (*content.results, *content.demands):
            assert not chinese.search(one.title_en)
        for one in content.results:
            assert not chinese.search(one.summary_en), one.summary_en

    def test_patent_numbers_are_well_formed_and_out_of_reach(self, content: DemoContent) -> None:
        numbers = []
        for one in content.results:
            for right in one.rights:
                if right.kind not in PATENT_KINDS:
                    continue
                parsed = parse_patent_number(right.number)
                assert parsed.canonical == right.number
                assert parsed.kind in PATENT_KINDS[right.kind]
                assert int(right.number[5:12]) >= 9_500_000
                numbers.append(right.number)
            for symbol in one.ipc:
                assert parse_ipc(symbol) == symbol
        assert len(numbers) == len(set(numbers))

    def test_all_grades_of_evidence_occur(self, content: DemoContent) -> None:
        grades = Counter(
            grade(claim.figure, claim.comparator, claim.source)
            for one in content.results
            for claim in one.claims
        )
        assert len(grades) == 4
        assert min(grades.values()) > 20


class TestDemands:
    def test_they_pass_the_market_checks(self, content: DemoContent) -> None:
        for one in content.demands:
            DemandInput(
                title=one.title,
                title_en=one.title_en,
                difficulty=one.difficulty,
                research=one.research,
                background=one.background,
                keywords=list(one.keywords),
                industry_code=one.industry_code,
                ipc=list(one.ipc),
                modes=list(one.modes),
                wanted_trl=one.wanted_trl,
                budget_low_fen=one.budget_low_fen,
                budget_high_fen=one.budget_high_fen,
                deadline=one.deadline,
                experts=one.experts,
                origin=one.origin,
                targets=[TargetInput(**vars(target)) for target in one.targets],
            )

    def test_nothing_is_empty(self, content: DemoContent) -> None:
        for one in content.demands:
            for name in ("title", "title_en", "difficulty", "research", "background", "experts"):
                assert getattr(one, name).strip(), (one.key, name)
            assert one.keywords
            assert one.modes
            assert len(one.targets) >= 2
            assert one.deadline > TODAY
        assert len({one.title for one in content.demands}) == len(content.demands)

    def test_published_demands_have_a_partner_on_offer(self, content: DemoContent) -> None:
        offered = {one.topic for one in content.results if one.state is ListingState.PUBLISHED}
        assert all(one.topic in offered for one in content.demands)


class TestContracts:
    def test_amounts_agree(self, content: DemoContent) -> None:
        for one in content.contracts:
            technology, problems = deal_rules.amounts(one.deal_fen, one.technology_fen, one.deductions)
            assert (technology, problems) == (one.technology_fen, []), one.key
            assert one.deal_fen >= one.technology_fen > 0
            if one.amended_deal_fen is not None:
                assert one.amended_deductions is not None
                _, problems = deal_rules.amounts(
                    one.amended_deal_fen, one.amended_technology_fen, one.amended_deductions
                )
                assert problems == []

    def test_they_pass_the_market_checks(self, content: DemoContent) -> None:
        for one in content.contracts:
            assert deal_rules.check_kind(one.kind, one.subkind) == []
            assert one.seller_name != one.buyer_name
            assert WENLING in (one.seller_region, one.buyer_region)
            ContractInput(
                **payments.terms(one),
                title=one.title,
                kind=one.kind,
                subkind=one.subkind,
                seller_name=one.seller_name,
                seller_region=one.seller_region,
                buyer_name=one.buyer_name,
                buyer_region=one.buyer_region,
                deal_fen=one.deal_fen,
                technology_fen=one.technology_fen,
                deductions=[Deduction(item=item, fen=fen) for item, fen in one.deductions],
                technical_field=one.technical_field,
                industry_code=one.industry_code,
                signed_on=one.signed_on,
                effective_on=one.effective_on,
                ends_on=one.ends_on,
            )

    def test_they_are_paid_in_many_ways_that_add_up(self, content: DemoContent) -> None:
        forms = set()
        for one in content.contracts:
            stated = payments.terms(one)
            parts = [Instalment(part["due_on"], part["fen"]) for part in stated.get("instalments", ())]
            form = stated.get("price_form", PriceForm.LUMP)
            forms.add(form)
            _, problems = settle(
                Price(
                    deal_fen=one.deal_fen,
                    form=form,
                    instalments=tuple(parts),
                    entry_fee_fen=stated.get("entry_fee_fen"),
                    royalty_base=stated.get("royalty_base", ""),
                    royalty_ppm=stated.get("royalty_ppm"),
                )
            )
            assert problems == [], one.key
            came = payments.received(one, LAST_DAY)
            assert sum(fen for _, fen in came) <= one.deal_fen
            assert all(
                one.registered_on is not None and one.registered_on < day <= LAST_DAY for day, _ in came
            )
        assert forms == set(PriceForm)
        assert any(payments.received(one, LAST_DAY) for one in content.contracts)

    def test_days_follow_one_another(self, content: DemoContent) -> None:
        for one in content.contracts:
            days = [one.signed_on, one.submitted_on, one.accepted_on, one.registered_on]
            reached = [day for day in days if day is not None]
            assert reached == sorted(reached), one.key
            for later in (one.amended_on, one.ended_on):
                assert later is None or (
                    one.registered_on is not None and one.registered_on <= later <= LAST_DAY
                )
            assert (one.registered_on is not None) == (one.state in deal_rules.PUBLIC)

    def test_every_kind_and_many_states_occur(self, content: DemoContent) -> None:
        assert {one.kind for one in content.contracts} == set(ContractKind)
        assert {one.state for one in content.contracts} == set(ContractState)
        assert len({one.title for one in content.contracts}) == len(content.contracts)

    def test_yearly_shares_rise_believably(self, content: DemoContent) -> None:
        shares, counts = {}, {}
        for year in range(2020, 2027):
            last = dt.date(year, 9, 30) if year == 2026 else dt.date(year, 12, 31)
            counted = [
                one
                for one in content.contracts
                if one.state is ContractState.REGISTERED
                and one.registered_on is not None
                and dt.date(year, 1, 1) <= one.registered_on <= last
            ]
            counts[year] = len(counted)
            total = sum(one.counted_deal_fen for one in counted if one.seller_region == WENLING)
            shares[year] = 100 * total / yearly_gdp_fen(year)
            assert max(one.deal_fen for one in counted) < total * 0.2
        assert 0.85 < shares[2020] < 0.95
        assert 1.9 < shares[2025] < 2.1
        assert 1.9 < shares[2026] < 2.15
        assert list(shares.values()) == sorted(shares.values())
        assert all(60 <= number <= 125 for number in counts.values())
        assert all(abs(share * 100 - round(share * 100)) > 0.001 for share in shares.values())

    def test_estimated_gdp_says_so(self, content: DemoContent) -> None:
        assert OFFICIAL_2024_FEN == 14_176_300_000_000
        assert all(one.year != 2024 and one.source == ESTIMATE for one in content.gdp)


def english(content: DemoContent) -> list[DemoLot]:
    return [one for one in content.lots if one.terms.format == "english"]


class TestLots:
    def test_twelve_are_over_and_some_are_to_come(self, content: DemoContent) -> None:
        over = [one for one in english(content) if one.expected is not Outcome.OPEN]
        assert len(over) == 12
        assert {one.expected for one in over} == set(Outcome) - {Outcome.OPEN}
        coming = [one for one in content.lots if one.expected is Outcome.OPEN]
        assert any(one.opens_in_s < 0 < one.opens_in_s + one.terms.duration_s for one in coming)
        assert any(one.opens_in_s > 0 for one in coming)

    def test_every_format_has_one_over_and_one_open(self, content: DemoContent) -> None:
        for name in RULES:
            mine = [one for one in content.lots if one.terms.format == name]
            assert any(one.expected is Outcome.SOLD for one in mine)
            assert any(
                one.expected is Outcome.OPEN and one.opens_in_s < 0 < one.opens_in_s + one.terms.duration_s
                for one in mine
            )
            assert all(bid.act in (*RULES[name].ACTS, "bid") for one in mine for bid in one.bids)

    def test_their_results_were_on_offer_and_are_used_once(self, content: DemoContent) -> None:
        results = {one.key: one for one in content.results}
        assert len({one.result for one in content.lots}) == len(content.lots)
        for lot in content.lots:
            result = results[lot.result]
            assert result.state is ListingState.PUBLISHED
            assert result.pricing_mode is not PricingMode.NEGOTIATED
            assert result.published_days_ago * 86_400 > lot.published_before_s - lot.opens_in_s
            assert result.organisation not in {bidder.organisation for bidder in lot.bidders}

    def test_bidders_have_somebody_to_bid_for_them(self, content: DemoContent) -> None:
        able = {person.organisation for person in content.people if person.role is Role.BIDDER}
        for lot in content.lots:
            names = [bidder.organisation for bidder in lot.bidders]
            assert len(names) == len(set(names))
            assert set(names) <= able
            assert all(bidder.asked_before_s < lot.published_before_s for bidder in lot.bidders)

    def test_bids_obey_the_rules(self, content: DemoContent) -> None:
        for lot in english(content):
            opens = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
            terms = Terms(
                start_fen=lot.terms.start_fen,
                steps=((0, lot.terms.step_fen),),
                opens_at=opens,
                ends_at=opens + dt.timedelta(seconds=lot.terms.duration_s),
                seller_organisation_id=1,
                reserve_fen=lot.terms.reserve_fen,
                reserve_nonce="0" * 32,
                max_steps=lot.terms.max_steps,
            )
            assert terms.problems() == []
            ranks = {bidder.organisation: bidder.priority for bidder in lot.bidders}
            end, price, leader, before = float(lot.terms.duration_s), None, "", 0.0
            stop = lot.stop
            for bid in lot.bids:
                if stop is not None and stop.lasted_s is not None and bid.offset_s > stop.offset_s:
                    assert bid.offset_s > stop.offset_s + stop.lasted_s
                    end, stop = end + stop.lasted_s, None
                assert bid.organisation in ranks
                assert bid.organisation != leader
                assert before < bid.offset_s < end
                least = minimum_after(terms, price)
                assert least is not None
                matched = price == bid.amount_fen and ranks[bid.organisation] == 1
                assert matched or bid.amount_fen >= least
                assert (bid.amount_fen - terms.start_fen) % lot.terms.step_fen == 0
                steps = (bid.amount_fen - (price or terms.start_fen)) // lot.terms.step_fen
                assert steps <= (lot.terms.max_steps or steps)
                if bid.offset_s >= end - lot.terms.window_s:
                    end = max(end, bid.offset_s + lot.terms.extension_s)
                price, leader, before = bid.amount_fen, bid.organisation, bid.offset_s
            if lot.expected is Outcome.NO_BID:
                assert not lot.bids
            if lot.expected is Outcome.RESERVE_NOT_MET:
                assert price is not None
                assert lot.terms.reserve_fen is not None
                assert price < lot.terms.reserve_fen
            if lot.winner:
                assert (lot.winner, lot.hammer_fen) == (leader, price)
                assert (price or 0) >= (lot.terms.reserve_fen or 0)

    def test_running_lots_have_only_bids_of_the_past(self, content: DemoContent) -> None:
        for lot in content.lots:
            assert all(lot.opens_in_s + bid.offset_s < 0 for bid in lot.bids)


class TestEnquiries:
    def test_they_are_about_what_was_on_offer(self, content: DemoContent) -> None:
        results = {one.key: one for one in content.results}
        demands = {one.key: one for one in content.demands}
        seen = set()
        for one in content.enquiries:
            subject = (results if one.subject_kind is SubjectKind.RESULT else demands)[one.subject]
            assert subject.state is ListingState.PUBLISHED
            assert subject.organisation == one.to_organisation != one.from_organisation
            assert subject.published_days_ago * 24 > one.messages[0].hours_ago
            assert (one.from_organisation, one.subject) not in seen
            seen.add((one.from_organisation, one.subject))
            if one.offered_result:
                offered = results[one.offered_result]
                assert offered.organisation == one.from_organisation
                assert offered.topic == subject.topic

    def test_threads_run_forward_and_end_where_they_say(self, content: DemoContent) -> None:
        results = {one.key: one for one in content.results}
        for one in content.enquiries:
            hours = [message.hours_ago for message in one.messages]
            assert hours == sorted(hours, reverse=True)
            assert one.messages[0].side is Side.ASKING
            if one.state is EnquiryState.OPEN:
                assert all(message.side is Side.ASKING for message in one.messages)
            if one.state in (EnquiryState.ANSWERED, EnquiryState.NEGOTIATING, EnquiryState.AGREED):
                assert one.messages[1].side is Side.OWNER
            assert (one.state in ACTIVE) == (one.closed_hours_ago is None) == bool(one.next_step)
            assert (one.state is EnquiryState.PASSED) == (one.pass_reason is not None)
            if one.reinvite_trl is not None:
                assert one.reinvite_trl > results[one.offered_result or one.subject].trl

    def test_some_are_overdue_and_all_reasons_occur(self, content: DemoContent) -> None:
        due = [one.due_in_days for one in content.enquiries if one.due_in_days is not None]
        assert sum(day < 0 for day in due) >= 6
        assert {one.state for one in content.enquiries} == set(EnquiryState)
        assert len({one.pass_reason for one in content.enquiries if one.pass_reason}) >= 6
