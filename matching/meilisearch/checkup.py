"""Is a Meilisearch server fit for use? Its version, the key's rights, and one entry there and back again."""

import contextlib
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from market.errors import MarketError
from matching.documents import Document, Key, Kind
from matching.meilisearch import queries
from matching.meilisearch.client import (
    OLDEST_TEXT,
    Connection,
    KeyRefused,
    OutOfReach,
    TaskFailed,
    TooOld,
    Trouble,
)

_DOCUMENT = Document(Key(Kind.RESULT, 1), "高效节能离心泵", "一种叶轮结构", owner_name="浙江大学")

T = TypeVar("T")


class SearchServerUnfit(MarketError):
    """What is wrong. The code says what, `params` with which `right`, `version` or `reason`."""

    def __init__(self, code: str, **params: Any) -> None:
        super().__init__(**params)
        self.code = code


def checkup(connection: Connection, prefix: str) -> str:
    """Try everything that the index needs, in an index of its own that is deleted again. Returns the version.

    Raises SearchServerUnfit with the first thing that is wrong.
    """
    index = f"{prefix}-doctor-{secrets.token_hex(4)}"
    version = _try("version", connection.version)
    entry = queries.entry(_DOCUMENT, None, vectors=False)
    wanted = queries.settings(None, {})
    condition = queries.every([queries.holding("离心泵"), queries.one_of("kind", ["result"])])
    question = {
        "indexUid": index,
        "filter": condition,
        "facets": ["kind"],
        **queries.ranking(["离心泵"]),
    }
    _try(
        "indexes.create, tasks.get",
        lambda: connection.change(lambda client: client.create_index(index, {"primaryKey": "id"})),
    )
    try:
        _try(
            "settings.update",
            lambda: connection.change(lambda client: client.index(index).update_settings(wanted)),
        )
        _try(
            "documents.add",
            lambda: connection.change(lambda client: client.index(index).add_documents([entry], "id")),
        )
        found = _try("search", lambda: connection.ask(lambda client: client.multi_search([question])))
        if [hit.get("id") for hit in found["results"][0]["hits"]] != [entry["id"]]:
            raise SearchServerUnfit("search_server_wrong_answer")
        _try(
            "documents.get",
            lambda: connection.ask(lambda client: client.index(index).get_documents({"limit": 1})),
        )
        _try("stats.get", lambda: connection.ask(lambda client: client.index(index).get_stats()))
        gone = queries.one_of("id", [entry["id"]])
        _try(
            "documents.delete",
            lambda: connection.change(lambda client: client.index(index).delete_documents(filter=gone)),
        )
        pair: list[Any] = [{"indexes": [index, index + "-other"]}]
        _try("indexes.swap", lambda: _swap(connection, index + "-other", pair))
    finally:
        with contextlib.suppress(Trouble):
            connection.change(lambda client: client.delete_index(index + "-other"))
        _try("indexes.delete", lambda: connection.change(lambda client: client.delete_index(index)))
    return version


def _swap(connection: Connection, other: str, pair: list[Any]) -> None:
    connection.change(
        lambda client: client.create_index(other, {"primaryKey": "id"}),
        lambda client: client.swap_indexes(pair),
    )


def _try(right: str, step: Callable[[], T]) -> T:
    try:
        return step()
    except TooOld as trouble:
        raise SearchServerUnfit(
            "search_server_too_old", version=trouble.version, oldest=OLDEST_TEXT
        ) from None
    except KeyRefused:
        raise SearchServerUnfit("search_server_key_refused", right=right) from None
    except TaskFailed as trouble:
        raise SearchServerUnfit("search_server_task_failed", reason=str(trouble)) from None
    except OutOfReach as trouble:
        raise SearchServerUnfit("search_server_out_of_reach", reason=str(trouble)) from None
    except Trouble as trouble:
        raise SearchServerUnfit("search_server_refused", right=right, reason=str(trouble)) from None
