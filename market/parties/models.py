"""Rows of organisations, people, memberships, sign-in sessions and tokens."""

from __future__ import annotations

import datetime as dt
import enum

import sqlalchemy as sa
from sqlmodel import Field, SQLModel

from market import columns
from market.db import in_values
from market.permissions import Role


class OrganisationKind(enum.StrEnum):
    """What an organisation (单位) is."""

    UNIVERSITY = "university"
    RESEARCH_INSTITUTE = "research_institute"
    FIRM = "firm"
    SERVICE_AGENCY = "service_agency"
    GOVERNMENT = "government"


class OrganisationState(enum.StrEnum):
    """Whether staff have checked that an organisation is what it says.

    pending → verified | rejected; verified → suspended → verified; rejected → pending (resubmitted)
    """

    PENDING = "pending"
    VERIFIED = "verified"
    REJECTED = "rejected"
    SUSPENDED = "suspended"


class Organisation(SQLModel, table=True):
    """An organisation. Its credit code (统一社会信用代码) is unique and stored in canonical form."""

    __tablename__ = "organisation"
    __table_args__ = (
        sa.CheckConstraint(in_values("kind", OrganisationKind), name="kind"),
        sa.CheckConstraint(in_values("state", OrganisationState), name="state"),
    )
    id: int | None = columns.primary_key()
    name: str = Field(max_length=200, index=True)
    name_en: str = Field(default="", max_length=200)
    kind: str = Field(max_length=32)
    credit_code: str = Field(max_length=18, unique=True)
    region_code: str = Field(max_length=6, index=True)
    """GB/T 2260 code; six zeros for abroad."""
    country_code: str = Field(default="CHN", max_length=3)
    town: str = Field(default="", max_length=80)
    """Town or sub-district (镇、街道) inside the city, where known."""
    nature_code: str = Field(default="", max_length=3)
    """Party nature code of the contract form (e.g. 022 university, 170 private firm)."""
    founded_on: dt.date | None = None
    """成立日期 as on the business licence; the credit code does not tell it."""
    introduction: str = columns.text()
    website: str = Field(default="", max_length=300)
    contact_name: str = Field(default="", max_length=80)
    contact_phone: str = Field(default="", max_length=40)
    contact_email: str = Field(default="", max_length=254)
    promised_reply_hours: int | None = None
    """The reply time that the organisation promises in public, in hours."""
    state: str = Field(default=OrganisationState.PENDING.value, max_length=16, index=True)
    state_reason: str = columns.text()
    verified_at: dt.datetime | None = columns.instant(optional=True)
    version: int = 1
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant()


class Person(SQLModel, table=True):
    """A person with an account. `email` is stored in lower case and is what they sign in with."""

    __tablename__ = "person"
    id: int | None = columns.primary_key()
    name: str = Field(max_length=80)
    email: str = Field(max_length=254, unique=True)
    phone: str = Field(default="", max_length=40)
    language: str = Field(default="zh-Hans", max_length=8)
    password_hash: str = Field(max_length=255)
    active: bool = True
    demo: bool = False
    """Offered on the sign-in page in demo mode."""
    created_at: dt.datetime = columns.instant()
    updated_at: dt.datetime = columns.instant()
    last_sign_in_at: dt.datetime | None = columns.instant(optional=True)


class MembershipRow(SQLModel, table=True):
    """A role that a person holds in an organisation; ended, never deleted."""

    __tablename__ = "membership"
    __table_args__ = (
        sa.CheckConstraint(in_values("role", Role), name="role"),
        sa.UniqueConstraint("person_id", "organisation_id", "role"),
    )
    id: int | None = columns.primary_key()
    person_id: int = columns.reference("person.id")
    organisation_id: int = columns.reference("organisation.id")
    role: str = Field(max_length=32)
    created_at: dt.datetime = columns.instant()
    ended_at: dt.datetime | None = columns.instant(optional=True)


class SignInSession(SQLModel, table=True):
    """A sign-in that can be revoked. Only a digest of its secret is stored."""

    __tablename__ = "sign_in_session"
    id: int | None = columns.primary_key()
    person_id: int = columns.reference("person.id")
    secret_hash: str = Field(max_length=64, unique=True)
    created_at: dt.datetime = columns.instant()
    seen_at: dt.datetime = columns.instant()
    expires_at: dt.datetime = columns.instant()
    revoked_at: dt.datetime | None = columns.instant(optional=True)
    address: str = Field(default="", max_length=64)
    agent: str = Field(default="", max_length=300)


class ApiToken(SQLModel, table=True):
    """A token for programs. Only a digest of its secret is stored; `prefix` helps its owner know it."""

    __tablename__ = "api_token"
    id: int | None = columns.primary_key()
    person_id: int = columns.reference("person.id")
    name: str = Field(max_length=80)
    prefix: str = Field(max_length=12)
    secret_hash: str = Field(max_length=64, unique=True)
    scopes: list[str] = columns.json_list()
    created_at: dt.datetime = columns.instant()
    expires_at: dt.datetime | None = columns.instant(optional=True)
    used_at: dt.datetime | None = columns.instant(optional=True)
    revoked_at: dt.datetime | None = columns.instant(optional=True)


class PasswordReset(SQLModel, table=True):
    """A request to set a new password, good once and for a short time."""

    __tablename__ = "password_reset"
    id: int | None = columns.primary_key()
    person_id: int = columns.reference("person.id")
    secret_hash: str = Field(max_length=64, unique=True)
    created_at: dt.datetime = columns.instant()
    expires_at: dt.datetime = columns.instant()
    used_at: dt.datetime | None = columns.instant(optional=True)
