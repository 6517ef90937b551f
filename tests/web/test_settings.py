from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest
from pydantic import ValidationError

from web.settings import Environment, Settings

SOUND = {
    "environment": "production",
    "secret_key": "x" * 40,
    "payments": "offline",
    "mail": "smtp",
    "base_url": "https://market.example.com",
}


def test_production_accepts_sound_settings() -> None:
    assert Settings(**SOUND).environment is Environment.PRODUCTION  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"secret_key": "development-only"}, "MARKET_SECRET_KEY"),
        ({"demo": True}, "MARKET_DEMO"),
        ({"payments": "simulated"}, "MARKET_PAYMENTS"),
        ({"mail": "console"}, "MARKET_MAIL"),
        ({"base_url": "http://market.example.com"}, "MARKET_BASE_URL"),
    ],
)
def test_production_refuses_placeholders(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        Settings(**{**SOUND, **change})  # type: ignore[arg-type]


def test_secrets_are_not_printed() -> None:
    assert "x" * 40 not in repr(Settings(**SOUND))  # type: ignore[arg-type]


def test_signing_key_is_made_once_and_private(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    key = settings.signing_key_bytes()
    assert len(key) == 32
    assert Settings(data_dir=tmp_path).signing_key_bytes() == key
    assert stat.S_IMODE((tmp_path / "receipts.key").stat().st_mode) == 0o600
    given = base64.b64encode(b"k" * 32).decode()
    assert Settings(data_dir=tmp_path, signing_key=given).signing_key_bytes() == b"k" * 32  # type: ignore[arg-type]


LIVE = {**SOUND, "payments": "stripe,offline", "stripe_key": "sk_live_x"}


def test_production_takes_a_live_key_of_stripe() -> None:
    assert Settings(**LIVE).gateways == ("stripe", "offline")  # type: ignore[arg-type]
    assert "sk_live_x" not in repr(Settings(**LIVE))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"stripe_key": None}, "MARKET_STRIPE_KEY"),
        ({"stripe_key": ""}, "MARKET_STRIPE_KEY"),
        ({"stripe_key": "pk_live_x"}, "MARKET_STRIPE_KEY"),
        ({"stripe_key": "rk_test_x"}, "MARKET_STRIPE_KEY is a test key"),
        ({"stripe_api_base": "http://127.0.0.1:1"}, "MARKET_STRIPE_API_BASE"),
        ({"environment": "development"}, "real money"),
        ({"stripe_methods": "card,cash"}, "stripe_methods"),
        ({"payments": "stripe,cash"}, "payments"),
    ],
)
def test_stripe_is_set_up_wholly_or_refused(change: dict[str, object], named: str) -> None:
    with pytest.raises(ValidationError, match=named) as refused:
        Settings(**{**LIVE, **change})  # type: ignore[arg-type]
    assert "live_x" not in str(refused.value)
