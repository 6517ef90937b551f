"""Every route of the web, by feature: pages here, the JSON API under `api/`."""

from __future__ import annotations

from fastapi import APIRouter

from web.routes import (
    account,
    admin,
    alarms,
    attachments,
    auction_rules,
    auth,
    contract_ledger,
    contract_review,
    contracts,
    demands,
    duplicates,
    enquiries,
    exchange,
    experts,
    flags,
    funnel,
    health,
    help_pages,
    home,
    listings,
    lot_bids,
    lot_console,
    lot_documents,
    lot_drafts,
    lot_proof,
    lot_share,
    lot_stage,
    lots,
    matches,
    messages,
    open_data,
    organisations,
    payments,
    payments_bank,
    payments_pay_outs,
    payments_reconciliation,
    payments_statements,
    preferences,
    pricing_evidence,
    pricing_notices,
    pricing_rights,
    pricing_splits,
    pricing_trials,
    proposals,
    rehearsal,
    results,
    sales,
    saved_searches,
    search,
    settlements,
    sockets,
    statistics,
    statistics_calibers,
    statistics_forecast,
    statistics_live,
    statistics_plan,
    statistics_report,
    statistics_snapshots,
    suggestions,
    synonyms,
    webhooks,
    workbench,
)
from web.routes.api import attachments as api_attachments
from web.routes.api import audit as api_audit
from web.routes.api import contract_ledger as api_contract_ledger
from web.routes.api import contract_review as api_contract_review
from web.routes.api import contracts as api_contracts
from web.routes.api import demands as api_demands
from web.routes.api import deposits as api_deposits
from web.routes.api import enquiries as api_enquiries
from web.routes.api import exchange as api_exchange
from web.routes.api import lots as api_lots
from web.routes.api import organisations as api_organisations
from web.routes.api import people as api_people
from web.routes.api import results as api_results
from web.routes.api import sales as api_sales
from web.routes.api import saved_searches as api_saved_searches
from web.routes.api import search as api_search
from web.routes.api import settlements as api_settlements
from web.routes.api import statistics as api_statistics
from web.routes.api import taxonomy as api_taxonomy
from web.routes.api import tokens as api_tokens

PAGES: list[APIRouter] = [
    # Routes are tried in this order: what is asked for most comes first.
    home.router,
    results.router,
    demands.router,
    search.router,
    suggestions.router,
    # Before `lots`: their fixed paths would be taken for a lot's id.
    lot_console.router,
    lot_drafts.router,
    lot_proof.router,
    lot_share.router,
    lot_stage.router,
    rehearsal.router,
    sockets.router,
    lots.router,
    sales.router,
    lot_bids.router,
    lot_documents.router,
    statistics.router,
    statistics_calibers.router,
    statistics_forecast.router,
    statistics_live.router,
    statistics_plan.router,
    statistics_report.router,
    statistics_snapshots.router,
    funnel.router,
    account.router,
    admin.router,
    attachments.router,
    auction_rules.router,
    auth.router,
    # Before `contracts`: its fixed path would be taken for a contract's id.
    contract_review.router,
    contracts.router,
    contract_ledger.router,
    payments.router,
    payments_bank.router,
    payments_pay_outs.router,
    payments_reconciliation.router,
    payments_statements.router,
    duplicates.router,
    enquiries.router,
    exchange.router,
    experts.router,
    flags.router,
    health.router,
    alarms.router,
    help_pages.router,
    listings.router,
    matches.router,
    messages.router,
    open_data.router,
    organisations.router,
    preferences.router,
    pricing_evidence.router,
    pricing_notices.router,
    pricing_rights.router,
    pricing_splits.router,
    pricing_trials.router,
    proposals.router,
    saved_searches.router,
    settlements.router,
    synonyms.router,
    webhooks.router,
    workbench.router,
]
API: list[APIRouter] = [
    api_enquiries.router,
    api_exchange.router,
    api_lots.router,
    api_sales.router,
    api_attachments.router,
    api_demands.router,
    api_results.router,
    api_search.router,
    api_saved_searches.router,
    api_contracts.router,
    api_contract_ledger.router,
    api_contract_review.router,
    api_deposits.router,
    api_deposits.payments,
    api_settlements.router,
    api_statistics.router,
    api_audit.router,
    api_organisations.router,
    api_people.router,
    api_taxonomy.router,
    api_tokens.router,
]
