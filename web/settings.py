"""Settings: the only reader of the environment.

Every setting is a field here with a default, a help text and the prefix `MARKET_`. A placeholder
secret, simulated payments, demo accounts or an embedded database's shortcuts are refused when
`MARKET_ENVIRONMENT=production`.
"""

from __future__ import annotations

import base64
import enum
import os
import secrets
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Environment(enum.StrEnum):
    """Where this process runs."""

    DEVELOPMENT = "development"
    TEST = "test"
    PRODUCTION = "production"


class MailBackend(enum.StrEnum):
    """How mail leaves."""

    CONSOLE = "console"
    SMTP = "smtp"


class WorkerMode(enum.StrEnum):
    """Whether the serving process also does background work."""

    EMBEDDED = "embedded"
    SEPARATE = "separate"


class SearchEngine(enum.StrEnum):
    """Where searches are answered."""

    EMBEDDED = "embedded"
    MEILISEARCH = "meilisearch"


class ProductionRefused(ValueError):
    """A setting that is fine at home and dangerous in production."""


class Settings(BaseSettings):
    """The whole configuration of a process."""

    # A refused setting is named; the values, secrets among them, are not repeated in the error.
    model_config = SettingsConfigDict(
        env_prefix="MARKET_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    environment: Environment = Field(Environment.DEVELOPMENT, description="development, test or production")
    name: str = Field("温岭科技大市场", description="the market's name on every page")
    name_en: str = Field("Wenling Technology Market", description="the market's name on English pages")
    region_code: str = Field("331081", description="the city, GB/T 2260; figures are about it")
    data_dir: Path = Field(Path("var"), description="folder for the database, search index, files and keys")
    database_url: SecretStr | None = Field(
        None, description="PostgreSQL or SQLite address; default is market.db in the data folder"
    )
    redis_url: SecretStr | None = Field(
        None, description="Redis address, needed when several processes serve live rooms"
    )
    search: SearchEngine = Field(
        SearchEngine.EMBEDDED,
        description="embedded: index in the data folder; meilisearch: on a server, with an embedded spare",
    )
    meilisearch_url: str | None = Field(None, description="Meilisearch address, version 1.14 or newer")
    meilisearch_key: SecretStr | None = Field(
        None, description="Meilisearch API key with rights to this market's indexes"
    )
    meilisearch_prefix: str = Field(
        "market",
        pattern="^[A-Za-z0-9_-]{1,100}$",
        description="how this market's indexes on the server are named",
    )
    vectors: str = Field(
        "",
        description="semantic vectors for matching: empty for none, e5 for the optional extra, "
        "or a file or folder of vectors",
    )
    base_url: str = Field(
        "http://127.0.0.1:8000", description="the address people use; checked as Origin of writes"
    )
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on")
    trusted_proxies: str = Field(
        "127.0.0.1,::1",
        pattern=r"^([0-9A-Fa-f.:/]+(, ?[0-9A-Fa-f.:/]+)*)?$",
        description="addresses or networks of the TLS proxy, whose word on the client's address is taken",
    )
    secret_key: SecretStr = Field(
        SecretStr("development-only"), description="signs cookies and links; 32 random characters or more"
    )
    signing_key: SecretStr | None = Field(
        None, description="Ed25519 private key for receipts, base64; default is made in the data folder"
    )
    demo: bool = Field(False, description="offer demo accounts and label every page")
    demo_password: SecretStr = Field(SecretStr("wenling-demo"), description="password of the demo accounts")
    worker: WorkerMode = Field(
        WorkerMode.EMBEDDED,
        description="embedded: the server also does background work; separate: `market worker`",
    )
    mail: MailBackend = Field(MailBackend.CONSOLE, description="console prints mail, smtp sends it")
    mail_from: str = Field("market@example.com", description="sender of mail")
    smtp_host: str = Field("127.0.0.1", description="SMTP server")
    smtp_port: int = Field(25, ge=1, le=65535, description="SMTP port")
    smtp_user: str = Field("", description="SMTP user; empty for none")
    smtp_password: SecretStr = Field(SecretStr(""), description="SMTP password")
    smtp_tls: bool = Field(False, description="use STARTTLS")
    payments: str = Field(
        "simulated,offline",
        pattern="^(simulated|stripe|offline)(,(simulated|stripe|offline))*$",
        description="ways to pay, in order: simulated (moves no money), stripe, offline (bank transfer)",
    )
    stripe_key: SecretStr | None = Field(None, description="Stripe's secret or restricted API key")
    stripe_webhook_secret: SecretStr | None = Field(
        None, description="signing secret of Stripe's webhook; without one the route is off"
    )
    stripe_methods: str = Field(
        "card,alipay,wechat_pay",
        pattern="^(card|alipay|wechat_pay)(,(card|alipay|wechat_pay))*$",
        description="ways to pay at Stripe, in order: card, alipay, wechat_pay",
    )
    stripe_api_base: str = Field(
        "", pattern=r"^(https?://\S+)?$", description="another address than Stripe's own, for tests"
    )
    session_days: int = Field(14, ge=1, le=90, description="how long a sign-in lasts unused, days")
    sign_in_tries: int = Field(10, ge=1, description="failed sign-ins per account and address in 15 minutes")
    max_upload_mb: int = Field(20, ge=1, le=200, description="largest attachment, MiB")
    max_import_mb: int = Field(50, ge=1, le=500, description="largest import file, MiB")
    listing_days: int = Field(
        180, ge=7, le=730, description="days a listing is shown without being reconfirmed"
    )
    ocid_prefix: str = Field(
        "ocds-000000",
        pattern=r"^ocds-[a-z0-9]{6}$",
        description="prefix of open contracting identifiers, given by the standard's registry; zeros for none yet",
    )
    open_licence: str = Field(
        "https://creativecommons.org/licenses/by/4.0/",
        pattern=r"^https://\S+$",
        description="address of the licence of the open data",
    )
    log_json: bool = Field(False, description="log as JSON lines")

    @model_validator(mode="after")
    def _engine_has_an_address(self) -> Self:
        if self.search is SearchEngine.MEILISEARCH and not self.meilisearch_url:
            raise ValueError("MARKET_SEARCH=meilisearch needs MARKET_MEILISEARCH_URL")
        return self

    @model_validator(mode="after")
    def _stripe_has_its_key(self) -> Self:
        key = self.stripe_key.get_secret_value() if self.stripe_key else ""
        if "stripe" in self.gateways and not key:
            raise ValueError("MARKET_PAYMENTS=stripe needs MARKET_STRIPE_KEY")
        if key and not key.startswith(("sk_test_", "rk_test_", "sk_live_", "rk_live_")):
            raise ValueError("MARKET_STRIPE_KEY is no secret or restricted key")
        if key.startswith(("sk_live_", "rk_live_")) and self.environment is not Environment.PRODUCTION:
            raise ValueError(
                "MARKET_STRIPE_KEY moves real money, which MARKET_ENVIRONMENT=production alone may"
            )
        return self

    @model_validator(mode="after")
    def _production_is_strict(self) -> Self:
        if self.environment is not Environment.PRODUCTION:
            return self
        problems = []
        if len(self.secret_key.get_secret_value()) < 32:
            problems.append("MARKET_SECRET_KEY needs 32 random characters or more")
        if self.demo:
            problems.append("MARKET_DEMO offers accounts with a published password")
        if "simulated" in self.gateways:
            problems.append("MARKET_PAYMENTS=simulated moves no money")
        if self.stripe_key and self.stripe_key.get_secret_value().startswith(("sk_test_", "rk_test_")):
            problems.append("MARKET_STRIPE_KEY is a test key, which moves no money")
        if self.stripe_api_base:
            problems.append("MARKET_STRIPE_API_BASE is not Stripe")
        if self.mail is MailBackend.CONSOLE:
            problems.append("MARKET_MAIL=console sends nothing")
        if not self.base_url.startswith("https://"):
            problems.append("MARKET_BASE_URL must begin with https://")
        if self.search is SearchEngine.MEILISEARCH and not self.meilisearch_key:
            problems.append("MARKET_SEARCH=meilisearch needs MARKET_MEILISEARCH_KEY")
        if problems:
            raise ProductionRefused("; ".join(problems))
        return self

    @property
    def gateways(self) -> tuple[str, ...]:
        """The gateways that payers are offered, in order."""
        return tuple(dict.fromkeys(self.payments.split(",")))

    @property
    def is_production(self) -> bool:
        """Whether placeholders are refused."""
        return self.environment is Environment.PRODUCTION

    @property
    def database_address(self) -> str:
        """The database's URL."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{(self.data_dir / 'market.db').resolve()}"

    @property
    def files_dir(self) -> Path:
        """Where attachments lie."""
        return self.data_dir / "files"

    @property
    def index_dir(self) -> Path:
        """Where the embedded search index lies."""
        return self.data_dir / "index"

    def signing_key_bytes(self) -> bytes:
        """The private key for receipts; made once and kept with mode 600 when none is set."""
        if self.signing_key is not None:
            return base64.b64decode(self.signing_key.get_secret_value(), validate=True)
        path = self.data_dir / "receipts.key"
        self.data_dir.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return base64.b64decode(path.read_bytes(), validate=True)
        key = secrets.token_bytes(32)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(key))
            file.flush()
            os.fsync(file.fileno())
        return key


def load() -> Settings:
    """Read the environment. Raises pydantic.ValidationError naming every bad setting."""
    return Settings()
