"""One's own API tokens, as JSON."""

from __future__ import annotations

import datetime as dt

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from market.parties import accounts, queries
from market.parties.inputs import TokenInput
from market.permissions import Scope
from web.deps import Now, ReadTx, RowId, SignedIn, Tx
from web.routes.api import problems

router = APIRouter(tags=["tokens"])


class TokenOut(BaseModel):
    """A token; its secret is not known to us."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    prefix: str = Field(description="What its secret begins with.", examples=["mkt_Ab3dE6g8"])
    scopes: list[Scope]
    created_at: dt.datetime
    expires_at: dt.datetime | None
    used_at: dt.datetime | None = Field(description="Noted at most once in ten minutes.")


class NewToken(TokenOut):
    """A token just made."""

    secret: str = Field(description="Shown this once: keep it.")


class TokenList(BaseModel):
    """The tokens that work."""

    items: list[TokenOut]


@router.get("/tokens", responses=problems())
def list_tokens(session: ReadTx, actor: SignedIn, now: Now) -> TokenList:
    """One's tokens that work, newest first."""
    held = queries.tokens_of(session, actor, now)
    return TokenList(items=[TokenOut.model_validate(item) for item in held])


@router.post("/tokens", status_code=201, responses=problems(409))
def create_token(session: Tx, actor: SignedIn, now: Now, entered: TokenInput, response: Response) -> NewToken:
    """Make a token. One made with a token may do no more than that token."""
    row, secret = accounts.create_token(session, actor, entered, now)
    response.headers["Cache-Control"] = "no-store"
    return NewToken(
        id=row.id or 0,
        name=row.name,
        prefix=row.prefix,
        scopes=[Scope(scope) for scope in row.scopes],
        created_at=row.created_at,
        expires_at=row.expires_at,
        used_at=None,
        secret=secret,
    )


@router.delete("/tokens/{token_id}", status_code=204, responses=problems(404))
def revoke_token(session: Tx, actor: SignedIn, now: Now, token_id: RowId) -> None:
    """End one of one's tokens."""
    accounts.revoke_token(session, actor, token_id, now)
