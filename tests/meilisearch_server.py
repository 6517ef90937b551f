"""A small server that speaks Meilisearch's HTTP as far as the market uses it. Made for tests, and no more.

Written from the documented API. It knows only the routes, parameters, settings and filter operators that
`matching.meilisearch_*` use, and refuses all others with an error body of Meilisearch's shape: what passes
here is not guessed at. Where it stands in for something, it errs on the side that an adapter must bear:

- Text is cut into runs of Latin letters and digits, and single Han characters; so nothing may rely on
  how a server segments Chinese. Typo tolerance, prefix search and proximity are not spoken: an index
  that leaves them on cannot be searched.
- Tasks are asynchronous (enqueued, processing, succeeded or failed), in order, by a thread of their own.
- Ranking knows `words`, `attribute` (best attribute of each word, no positions), `sort` and custom rules.
  The first ten words of a query count; phrases are mandatory; `-word` excludes.
- Where a query has words, facets are counted among the hits asked for, as if ranking had stopped there.
- A filter is parsed and evaluated; strings compare without case. Numbers are exact.

What it does not show: speed, memory, durability, and how well a real server ranks.
"""

import contextlib
import functools
import json
import math
import operator
import re
import sys
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

VERSION = "1.53.2"
NOW = "2026-01-01T00:00:00.123456Z"
MOST_WORDS = 10
DEEPEST_FILTER = 200
_ID = re.compile(r"[A-Za-z0-9_-]{1,511}")
_WORD = re.compile(r"[0-9A-Za-z]+|[㐀-鿿]")

DEFAULTS: dict[str, Any] = {
    "displayedAttributes": ["*"],
    "searchableAttributes": ["*"],
    "filterableAttributes": [],
    "sortableAttributes": [],
    "rankingRules": ["words", "typo", "proximity", "attribute", "sort", "exactness"],
    "synonyms": {},
    "typoTolerance": {"enabled": True},
    "prefixSearch": "indexingTime",
    "proximityPrecision": "byWord",
    "localizedAttributes": None,
    "faceting": {"maxValuesPerFacet": 100, "sortFacetValuesBy": {"*": "alpha"}},
    "pagination": {"maxTotalHits": 1000},
    "embedders": {},
}
SEARCH = {
    "indexUid", "q", "filter", "sort", "facets", "offset", "limit", "attributesToRetrieve", "matchingStrategy",
    "attributesToSearchOn", "showRankingScore", "hybrid", "vector", "locales",
}  # fmt: skip


class Refused(Exception):
    """What a request or a task is answered with when it cannot be granted."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message

    @property
    def body(self) -> dict[str, str]:
        kind = (
            "auth" if self.status in (401, 403) else "internal" if self.status >= 500 else "invalid_request"
        )
        link = f"https://docs.meilisearch.com/errors#{self.code}"
        return {"message": self.message, "code": self.code, "type": kind, "link": link}


def bad(message: str, code: str = "bad_request") -> Refused:
    return Refused(400, code, message)


def not_spoken(what: str) -> Refused:
    return Refused(501, "not_spoken_here", f"This server was made for tests and does not know {what}.")


@dataclass
class Index:
    """One index: documents by id, and its settings."""

    uid: str
    primary_key: str | None = None
    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=lambda: json.loads(json.dumps(DEFAULTS)))

    def features(self, attribute: str) -> dict[str, bool] | None:
        """What may be done with a filterable attribute; None if it is not one."""
        for rule in self.settings["filterableAttributes"]:
            if isinstance(rule, str):
                if rule == attribute:
                    return {"equality": True, "comparison": True}
            elif attribute in rule["attributePatterns"]:
                known = rule.get("features", {}).get("filter", {})
                return {"equality": True, "comparison": False, **known}
        return None


def values(document: dict[str, Any], attribute: str) -> list[Any]:
    """A field as a list; what is absent or null has none."""
    value = document.get(attribute)
    return value if isinstance(value, list) else [] if value is None else [value]


@functools.lru_cache(100_000)
def folded(value: str) -> str:
    return unicodedata.normalize("NFKD", value.strip()).lower()


# -- filters --------------------------------------------------------------------------------------------

_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')|(?P<op>!=|>=|<=|[=<>()\[\],])|(?P<word>[\w.\-]+))"""
)
_KEYWORDS = {"AND", "OR", "NOT", "IN", "TO", "EXISTS", "IS", "NULL", "EMPTY", "CONTAINS", "STARTS", "WITH"}
COMPARISONS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
Test = Callable[[dict[str, Any]], bool]


class FilterParser:
    """`expression = or; or = and (OR and)*; and = not (AND not)*; not = NOT not | primary`."""

    def __init__(self, index: Index, text: str) -> None:
        self.index, self.text, self.place = index, text, 0
        self.tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(text.rstrip()):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self.wrong(f"unexpected characters at `{text[at : at + 12]}`")
            kind = str(match.lastgroup)
            value = match[kind]
            self.tokens.append((kind, re.sub(r"\\(.)", r"\1", value[1:-1]) if kind == "quoted" else value))
            at = match.end()

    def wrong(self, why: str) -> Refused:
        return bad(f"{why} in filter `{self.text[:60]}`", "invalid_search_filter")

    def peek(self, *wanted: str) -> bool:
        if self.place >= len(self.tokens):
            return False
        kind, value = self.tokens[self.place]
        return kind != "quoted" and value in wanted

    def take(self, *wanted: str) -> bool:
        found = self.peek(*wanted)
        self.place += found
        return found

    def value(self) -> str:
        if self.place >= len(self.tokens):
            raise self.wrong("Was expecting a value but got nothing")
        kind, value = self.tokens[self.place]
        if kind == "op" or (kind == "word" and value in _KEYWORDS):
            raise self.wrong(f"Was expecting a value but instead got `{value}`")
        self.place += 1
        return value

    def parse(self) -> Test:
        test = self.either(0)
        if self.place != len(self.tokens):
            raise self.wrong(f"Found unexpected `{self.tokens[self.place][1]}`")
        return test

    def either(self, depth: int) -> Test:
        if depth > DEEPEST_FILTER:
            raise self.wrong("The filter exceeded the maximum depth limit")
        tests = [self.every(depth + 1)]
        while self.take("OR"):
            tests.append(self.every(depth + 1))
        return tests[0] if len(tests) == 1 else lambda d: any(test(d) for test in tests)

    def every(self, depth: int) -> Test:
        tests = [self.negated(depth + 1)]
        while self.take("AND"):
            tests.append(self.negated(depth + 1))
        return tests[0] if len(tests) == 1 else lambda d: all(test(d) for test in tests)

    def negated(self, depth: int) -> Test:
        if self.take("NOT"):
            test = self.negated(depth + 1)
            return lambda d: not test(d)
        if self.take("("):
            test = self.either(depth + 1)
            if not self.take(")"):
                raise self.wrong("Missing closing parenthesis")
            return test
        return self.condition()

    def condition(self) -> Test:
        attribute = self.value()
        features = self.index.features(attribute)
        if features is None:
            raise bad(f"Attribute `{attribute}` is not filterable.", "invalid_search_filter")
        negated = self.take("NOT")
        if self.take("IN"):
            if not self.take("["):
                raise self.wrong("Expected `[` after IN")
            wanted = []
            while not self.take("]"):
                wanted.append(self.value())
                self.take(",")
            test = self.equal(attribute, wanted)
            return (lambda d: not test(d)) if negated else test
        if self.take("EXISTS"):
            return lambda d: (attribute in d) is not negated
        if negated:
            raise self.wrong("Was expecting IN or EXISTS after NOT")
        if self.take("="):
            return self.equal(attribute, [self.value()])
        if self.take("!="):
            test = self.equal(attribute, [self.value()])
            return lambda d: not test(d)
        for sign, compare in COMPARISONS.items():
            if self.take(sign):
                if not features["comparison"]:
                    raise bad(f"`{sign}` is not allowed for `{attribute}`.", "invalid_search_filter")
                return self.compared(attribute, compare, float(self.value()))
        raise not_spoken("this filter operator")

    @staticmethod
    def compared(attribute: str, compare: Callable[[float, float], bool], bound: float) -> Test:
        return lambda d: any(
            isinstance(v, int | float) and compare(float(v), bound) for v in values(d, attribute)
        )

    @staticmethod
    def equal(attribute: str, wanted: list[str]) -> Test:
        texts = {folded(value) for value in wanted}
        numbers = set()
        for value in wanted:
            with contextlib.suppress(ValueError):
                numbers.add(float(value))
        return lambda d: any(
            (v in numbers) if isinstance(v, int | float) else folded(v) in texts for v in values(d, attribute)
        )


# -- searching ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Term:
    """One part of a query: a word with what the synonyms make of it, or a phrase."""

    alternatives: tuple[tuple[str, ...], ...]
    mandatory: bool


def read_query(q: str, synonyms: dict[str, list[str]]) -> tuple[list[Term], list[tuple[str, ...]]]:
    """The terms of a query, and what it excludes."""
    terms: list[Term] = []
    excluded: list[tuple[str, ...]] = []
    for match in re.finditer(r'(?P<minus>(?<!\S)-)?(?:"(?P<phrase>[^"]*)"?|(?P<plain>[^\s"]+))', q):
        if len(terms) >= MOST_WORDS:
            break
        words = tuple(_WORD.findall((match["phrase"] or match["plain"] or "").lower()))
        if not words:
            continue
        if match["minus"]:
            excluded.append(words)
        elif match["phrase"] is not None:
            terms.append(Term((words,), True))
        else:
            for word in words:
                others = tuple(tuple(_WORD.findall(other.lower())) for other in synonyms.get(word, ()))
                terms.append(Term(((word,), *others), False))
    return terms[:MOST_WORDS], excluded


class Tokens:
    """A text as the server cuts it."""

    def __init__(self, written: str) -> None:
        self.order = _WORD.findall(written.lower())
        self.known = frozenset(self.order)

    def hold(self, words: tuple[str, ...]) -> bool:
        """Whether a word stands in it, or several side by side."""
        if len(words) == 1:
            return words[0] in self.known
        size = len(words)
        return words[0] in self.known and any(
            tuple(self.order[i : i + size]) == words for i in range(len(self.order) - size + 1)
        )


@functools.lru_cache(20_000)
def cut(written: str) -> Tokens:
    return Tokens(written)


class Searcher:
    """One search over one index."""

    def __init__(self, index: Index, body: dict[str, Any]) -> None:
        self.index, self.body, self.settings = index, body, index.settings
        unknown = set(body) - SEARCH
        if unknown:
            raise bad(f"Unknown field `{min(unknown)}`: expected one of {', '.join(sorted(SEARCH))}")
        self.searchable = [str(name) for name in self.settings["searchableAttributes"]]
        for name in body.get("attributesToSearchOn") or ():
            if name not in self.searchable:
                raise bad(f"Attribute `{name}` is not searchable.", "invalid_search_attributes_to_search_on")
        if body.get("attributesToSearchOn"):
            self.searchable = [name for name in self.searchable if name in body["attributesToSearchOn"]]

    def answer(self) -> dict[str, Any]:
        body = self.body
        test = self._filter(body.get("filter"))
        universe = [document for document in self.index.documents.values() if test(document)]
        offset, limit = int(body.get("offset", 0)), int(body.get("limit", 20))
        if offset < 0 or limit < 0:
            raise bad("Invalid value: must be positive", "invalid_search_limit")
        ranked = self._ranked(universe)
        most = self.settings["pagination"]["maxTotalHits"]
        page = ranked[:most][offset : offset + limit]
        found = [document for _, document in ranked]
        answer: dict[str, Any] = {
            "indexUid": self.index.uid,
            "hits": [self._shown(document, score) for score, document in page],
            "query": body.get("q") or "",
            "processingTimeMs": 0,
            "limit": limit,
            "offset": offset,
            "estimatedTotalHits": min(len(ranked), most),
        }
        if body.get("facets") is not None:
            if body.get("q") and limit:
                # A real server may stop ranking once it has the hits, and count no further.
                found = found[: offset + limit]
            answer["facetDistribution"] = {name: self._facet(name, found) for name in body["facets"]}
            answer["facetStats"] = {}
        return answer

    def _filter(self, given: Any) -> Test:
        if given is None or given == "" or given == []:
            return lambda d: True
        if isinstance(given, str):
            return FilterParser(self.index, given).parse()
        tests = []
        for part in given:
            options = [
                FilterParser(self.index, one).parse() for one in ([part] if isinstance(part, str) else part)
            ]
            tests.append(lambda d, options=options: any(test(d) for test in options))
        return lambda d: all(test(d) for test in tests)

    def _facet(self, name: str, found: list[dict[str, Any]]) -> dict[str, int]:
        if self.index.features(name) is None:
            raise bad(
                f"Invalid facet distribution: Attribute `{name}` is not filterable.", "invalid_search_facets"
            )
        counts: Counter[str] = Counter()
        for document in found:
            counts.update(
                {format(v, "g") if isinstance(v, float) else str(v) for v in values(document, name)}
            )
        order = self.settings["faceting"]["sortFacetValuesBy"]
        if order.get(name, order.get("*", "alpha")) == "count":
            items = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        else:
            items = sorted(counts.items())
        return dict(items[: self.settings["faceting"]["maxValuesPerFacet"]])

    def _shown(self, document: dict[str, Any], score: float) -> dict[str, Any]:
        shown = self.settings["displayedAttributes"]
        wanted = self.body.get("attributesToRetrieve") or ["*"]
        hit = {
            name: value
            for name, value in document.items()
            if ("*" in shown or name in shown) and ("*" in wanted or name in wanted) and name != "_vectors"
        }
        if self.body.get("showRankingScore"):
            hit["_rankingScore"] = score
        return hit

    def _ranked(self, universe: list[dict[str, Any]]) -> list[tuple[float, dict[str, Any]]]:
        terms, excluded = read_query(self.body.get("q") or "", self.settings["synonyms"])
        if terms and (
            self.settings["typoTolerance"]["enabled"]
            or self.settings["prefixSearch"] != "disabled"
            or "proximity" in self.settings["rankingRules"]
        ):
            raise not_spoken("typo tolerance, prefix search and proximity, which this index has switched on")
        words = {id(d): {name: self._tokens(d, name) for name in self.searchable} for d in universe}
        universe = [
            d
            for d in universe
            if not any(tokens.hold(e) for e in excluded for tokens in words[id(d)].values())
        ]
        best = {id(d): [self._best(words[id(d)], term) for term in terms] for d in universe}
        steps = self._steps(terms)
        ranked = []
        for document in universe:
            ranks = best[id(document)]
            for dropped, kept in enumerate(steps):
                if all(ranks[i] is not None for i in kept):
                    score = (len(terms) - dropped) / max(len(terms), 1)
                    ranked.append((dropped, sum(ranks[i] or 0 for i in kept), score, document))
                    break
        self._order(ranked)
        keyword = [(score if terms else 1.0, document) for _, _, score, document in ranked]
        return self._hybrid(keyword, universe)

    @staticmethod
    def _tokens(document: dict[str, Any], name: str) -> Tokens:
        return cut(" ".join(map(str, values(document, name))))

    def _best(self, words: dict[str, Tokens], term: Term) -> int | None:
        ranks = [
            rank
            for rank, name in enumerate(self.searchable)
            for one in term.alternatives
            if words[name].hold(one)
        ]
        return min(ranks, default=None)

    def _steps(self, terms: list[Term]) -> list[list[int]]:
        """Which terms must be there, from all to the fewest, by the matching strategy."""
        everything = list(range(len(terms)))
        strategy = self.body.get("matchingStrategy", "last")
        if strategy == "all" or not terms:
            return [everything]
        removable = [i for i in everything if not terms[i].mandatory]
        if strategy == "last":
            order = [[i] for i in reversed(removable)]
        elif strategy == "frequency":
            count = {i: self._frequency(terms[i]) or math.inf for i in removable}
            order = [
                [i for i in removable if count[i] == n] for n in sorted(set(count.values()), reverse=True)
            ]
        else:
            raise bad(
                f"Unknown value `{strategy}` at `.matchingStrategy`", "invalid_search_matching_strategy"
            )
        if order and len(removable) == len(everything):
            order = order[:-1]
        steps, gone = [everything], set()
        for group in order:
            gone |= set(group)
            steps.append([i for i in everything if i not in gone])
        return steps

    def _frequency(self, term: Term) -> int:
        """Documents holding the term, whatever the filter."""
        every = (
            {name: self._tokens(d, name) for name in self.searchable} for d in self.index.documents.values()
        )
        return sum(self._best(words, term) is not None for words in every)

    def _order(self, ranked: list[tuple[int, int, float, dict[str, Any]]]) -> None:
        """Sort by the ranking rules, last rule first (Python's sort is stable)."""
        for rule in reversed(self.settings["rankingRules"]):
            if rule == "words":
                ranked.sort(key=lambda item: item[0])
            elif rule == "attribute":
                ranked.sort(key=lambda item: item[1])
            elif rule == "sort":
                for criterion in reversed(self.body.get("sort") or []):
                    name, _, direction = criterion.partition(":")
                    if name not in self.settings["sortableAttributes"]:
                        raise bad(f"Attribute `{name}` is not sortable.", "invalid_search_sort")
                    self._by(ranked, name, direction)
            elif ":" in rule:
                self._by(ranked, *rule.split(":"))
        if self.body.get("sort") and "sort" not in self.settings["rankingRules"]:
            raise bad(
                "You must specify where `sort` is listed in the rankingRules setting.", "invalid_search_sort"
            )

    @staticmethod
    def _by(ranked: list[tuple[int, int, float, dict[str, Any]]], name: str, direction: str) -> None:
        have = [item for item in ranked if item[3].get(name) is not None]
        lack = [item for item in ranked if item[3].get(name) is None]
        have.sort(key=lambda item: item[3][name], reverse=direction == "desc")
        ranked[:] = have + lack

    def _hybrid(
        self, keyword: list[tuple[float, dict[str, Any]]], universe: list[dict[str, Any]]
    ) -> list[tuple[float, dict[str, Any]]]:
        hybrid, vector = self.body.get("hybrid"), self.body.get("vector")
        if hybrid is None:
            if vector is not None:
                raise bad(
                    "Invalid request: missing `hybrid` parameter when `vector` is present.",
                    "missing_search_hybrid",
                )
            return keyword
        embedder = self.settings["embedders"].get(hybrid["embedder"])
        if embedder is None:
            raise bad(f"Cannot find embedder with name `{hybrid['embedder']}`.", "invalid_search_embedder")
        if vector is None or len(vector) != embedder["dimensions"]:
            raise bad("Invalid vector dimensions", "invalid_vector_dimensions")
        ratio = hybrid.get("semanticRatio", 0.5)
        best: dict[int, tuple[float, dict[str, Any]]] = {}
        for score, document in keyword:
            best[id(document)] = (score * (1 - ratio), document)
        for document in universe:
            own = (document.get("_vectors") or {}).get(hybrid["embedder"])
            if own:
                cosine = sum(a * b for a, b in zip(own, vector, strict=True)) / (
                    math.hypot(*own) * math.hypot(*vector)
                )
                score = (1 + cosine) / 2 * ratio
                if id(document) not in best or best[id(document)][0] < score:
                    best[id(document)] = (score, document)
        return sorted(best.values(), key=lambda item: -item[0])


# -- the server -----------------------------------------------------------------------------------------

ROUTES: list[tuple[str, str, str, str]] = [
    ("GET", r"/health", "", "health"),
    ("GET", r"/version", "version", "version"),
    ("POST", r"/indexes", "indexes.create", "create_index"),
    ("GET", r"/indexes/([\w-]+)", "indexes.get", "get_index"),
    ("DELETE", r"/indexes/([\w-]+)", "indexes.delete", "delete_index"),
    ("GET", r"/indexes/([\w-]+)/stats", "stats.get", "stats"),
    ("GET", r"/indexes/([\w-]+)/settings", "settings.get", "get_settings"),
    ("PATCH", r"/indexes/([\w-]+)/settings", "settings.update", "update_settings"),
    ("POST", r"/indexes/([\w-]+)/documents", "documents.add", "add_documents"),
    ("POST", r"/indexes/([\w-]+)/documents/fetch", "documents.get", "fetch"),
    ("POST", r"/indexes/([\w-]+)/documents/delete", "documents.delete", "delete_documents"),
    ("GET", r"/indexes/([\w-]+)/documents/([\w-]+)", "documents.get", "get_document"),
    ("DELETE", r"/indexes/([\w-]+)/documents/([\w-]+)", "documents.delete", "delete_document"),
    ("POST", r"/multi-search", "search", "multi_search"),
    ("POST", r"/swap-indexes", "indexes.swap", "swap"),
    ("GET", r"/tasks/(\d+)", "tasks.get", "get_task"),
]


class MeilisearchServer:
    """The server: `start`, `stop` (data stays, as on a disk), `lose_everything`, and faults on demand.

    `keys` maps an API key to the actions it may do (`*`: all); without keys nobody is asked for one.
    """

    def __init__(self, keys: dict[str, set[str]] | None = None, version: str = VERSION) -> None:
        self.keys, self.version_text = keys or {}, version
        self.indexes: dict[str, Index] = {}
        self.tasks: list[dict[str, Any]] = []
        self.fault = ""
        """`error`: 500; `garbage`: 200 with no JSON; `slow`: no answer before the fault is taken away."""
        self.failing: list[str] = []
        """Types of tasks of which the next one fails, each once."""
        self.dying: list[str] = []
        """Kinds of request (names in ROUTES) at which the server dies, each once."""
        self.requests: list[str] = []
        """What was asked, as `POST /multi-search`."""
        self.port = 0
        self._lock = threading.RLock()
        self._work: list[tuple[dict[str, Any], Callable[[], dict[str, Any]]]] = []
        self._wake = threading.Condition(self._lock)
        self._http: ThreadingHTTPServer | None = None
        self._stopped = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> "MeilisearchServer":
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one(self) -> None:
                server.handle(self)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_one  # noqa: N815

            def log_message(self, *args: Any) -> None:
                """Say nothing."""

        class Http(ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 64

        self._stopped.clear()
        self._http = Http(("127.0.0.1", self.port), Handler)
        self.port = self._http.server_address[1]
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        threading.Thread(target=self._run_tasks, daemon=True).start()
        return self

    def stop(self) -> None:
        """Die: the socket is closed, what was enqueued stays."""
        if self._http is not None:
            http, self._http = self._http, None
            self._stopped.set()
            with self._wake:
                self._wake.notify_all()
            http.shutdown()
            http.server_close()

    def lose_everything(self) -> None:
        """As with an empty disk."""
        with self._lock:
            self.indexes.clear()
            self.tasks.clear()
            self._work.clear()

    def copy(self) -> dict[str, Any]:
        """A backup of the data, for `restore`."""
        with self._lock:
            return {uid: json.loads(json.dumps(vars(index))) for uid, index in self.indexes.items()}

    def restore(self, backup: dict[str, Any]) -> None:
        """Put an older state back, as from a dump."""
        with self._lock:
            self.indexes = {uid: Index(**values) for uid, values in backup.items()}

    # -- HTTP

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        length = int(request.headers.get("Content-Length") or 0)
        raw = request.rfile.read(length)
        path = urlsplit(request.path)
        self.requests.append(f"{request.command} {path.path}")
        while self.fault == "slow" and not self._stopped.is_set():
            time.sleep(0.005)
        if self.fault == "garbage":
            return self._send(request, 200, b"<html>no JSON</html>")
        try:
            if self.fault == "error":
                raise Refused(500, "internal", "An internal error has occurred.")
            status, body = self._answer(request, path.path, path.query, raw)
        except Refused as refused:
            status, body = refused.status, refused.body
        except ConnectionAbortedError:
            request.close_connection = True
            return None
        return self._send(request, status, json.dumps(body, ensure_ascii=False).encode())

    @staticmethod
    def _send(request: BaseHTTPRequestHandler, status: int, raw: bytes) -> None:
        with contextlib.suppress(OSError):
            request.send_response(status)
            request.send_header("Content-Type", "application/json")
            request.send_header("Content-Length", str(len(raw)))
            request.end_headers()
            request.wfile.write(raw)

    def _answer(self, request: BaseHTTPRequestHandler, path: str, query: str, raw: bytes) -> tuple[int, Any]:
        for method, pattern, action, name in ROUTES:
            match = re.fullmatch(pattern, path)
            if match is None or method != request.command:
                continue
            self._authorise(request.headers.get("Authorization"), action)
            if name in self.dying:
                self.dying.remove(name)
                threading.Thread(target=self.stop).start()
                self._stopped.wait(5)
                raise ConnectionAbortedError
            # The official client sends "null" along with a DELETE, which Meilisearch does not look at.
            raw = raw if method in ("POST", "PATCH") else b""
            if raw and request.headers.get("Content-Type") != "application/json":
                raise Refused(415, "invalid_content_type", "A Content-Type header is missing.")
            try:
                body = json.loads(raw) if raw else None
            except ValueError:
                raise bad("The json payload provided is malformed.", "malformed_payload") from None
            if query and query != "primaryKey=id":
                raise bad(f"Unknown parameter `{query}`")
            with self._lock:
                answer = getattr(self, f"_{name}")(*match.groups(), *([] if body is None else [body]))
            return (202 if isinstance(answer, dict) and "taskUid" in answer else 200), answer
        raise Refused(404, "not_found", f"The route {request.command} {path} is not known here.")

    def _authorise(self, header: str | None, action: str) -> None:
        if not self.keys or not action:
            return
        if header is None:
            raise Refused(401, "missing_authorization_header", "The Authorization header is missing.")
        allowed = self.keys.get(header.removeprefix("Bearer "), set())
        if not allowed & {"*", action, action.split(".")[0] + ".*"}:
            raise Refused(403, "invalid_api_key", "The provided API key is invalid.")

    def _index(self, uid: str) -> Index:
        if uid not in self.indexes:
            raise Refused(404, "index_not_found", f"Index `{uid}` not found.")
        return self.indexes[uid]

    def _health(self) -> Any:
        return {"status": "available"}

    def _version(self) -> Any:
        return {"commitSha": "unknown", "commitDate": "unknown", "pkgVersion": self.version_text}

    def _get_index(self, uid: str) -> Any:
        return {"uid": uid, "primaryKey": self._index(uid).primary_key, "createdAt": NOW, "updatedAt": NOW}

    def _stats(self, uid: str) -> Any:
        fields = Counter(name for document in self._index(uid).documents.values() for name in document)
        count = len(self._index(uid).documents)
        return {"numberOfDocuments": count, "isIndexing": False, "fieldDistribution": dict(fields)}

    def _get_settings(self, uid: str) -> Any:
        return self._index(uid).settings

    def _get_document(self, uid: str, row: str) -> Any:
        found = self._index(uid).documents.get(row)
        if found is None:
            raise Refused(404, "document_not_found", f"Document `{row}` not found.")
        return found

    def _fetch(self, uid: str, body: dict[str, Any]) -> Any:
        if set(body) - {"offset", "limit", "fields", "filter"}:
            raise bad(f"Unknown field in {sorted(body)}")
        index = self._index(uid)
        test = FilterParser(index, body["filter"]).parse() if body.get("filter") else lambda d: True
        found = [document for document in index.documents.values() if test(document)]
        offset, limit = body.get("offset", 0), body.get("limit", 20)
        fields = body.get("fields")
        results = [
            {
                name: value
                for name, value in d.items()
                if name != "_vectors" and (not fields or name in fields)
            }
            for d in found[offset : offset + limit]
        ]
        return {"results": results, "offset": offset, "limit": limit, "total": len(found)}

    def _multi_search(self, body: dict[str, Any]) -> Any:
        if body.get("federation"):
            raise not_spoken("federated search")
        return {
            "results": [Searcher(self._index(query["indexUid"]), query).answer() for query in body["queries"]]
        }

    def _get_task(self, uid: str) -> Any:
        if int(uid) >= len(self.tasks):
            raise Refused(404, "task_not_found", f"Task `{uid}` not found.")
        return self.tasks[int(uid)]

    # -- tasks

    def _enqueue(self, kind: str, uid: str | None, work: Callable[[], dict[str, Any]]) -> Any:
        number = len(self.tasks)
        task = {
            "uid": number, "batchUid": None, "indexUid": uid, "status": "enqueued", "type": kind, "canceledBy": None,
            "details": None, "error": None, "duration": None, "enqueuedAt": NOW, "startedAt": None, "finishedAt": None,
        }  # fmt: skip
        self.tasks.append(task)
        self._work.append((task, work))
        self._wake.notify_all()
        return {"taskUid": number, "indexUid": uid, "status": "enqueued", "type": kind, "enqueuedAt": NOW}

    def _run_tasks(self) -> None:
        while not self._stopped.is_set():
            with self._wake:
                while not self._work and not self._stopped.is_set():
                    self._wake.wait(0.5)
                if self._stopped.is_set():
                    return
                task, work = self._work.pop(0)
                task.update(status="processing", startedAt=NOW, batchUid=task["uid"])
            time.sleep(0.001)
            with self._lock:
                try:
                    if task["type"] in self.failing:
                        self.failing.remove(task["type"])
                        raise Refused(500, "internal", "no space left on device")
                    task.update(status="succeeded", details=work())
                except Refused as refused:
                    task.update(status="failed", error=refused.body)
                task.update(finishedAt=NOW, duration="PT0.001S")

    def _create_index(self, body: dict[str, Any]) -> Any:
        uid, key = body["uid"], body.get("primaryKey")

        def work() -> dict[str, Any]:
            if uid in self.indexes:
                raise Refused(409, "index_already_exists", f"Index `{uid}` already exists.")
            self.indexes[uid] = Index(uid, key)
            return {"primaryKey": key}

        return self._enqueue("indexCreation", uid, work)

    def _delete_index(self, uid: str) -> Any:
        def work() -> dict[str, Any]:
            return {"deletedDocuments": len((self._index(uid), self.indexes.pop(uid))[0].documents)}

        return self._enqueue("indexDeletion", uid, work)

    def _update_settings(self, uid: str, body: dict[str, Any]) -> Any:
        for name, value in body.items():
            if name not in DEFAULTS:
                raise bad(f"Unknown field `{name}`: expected one of {', '.join(DEFAULTS)}")
            if (name, value) in (("typoTolerance", {"enabled": True}), ("prefixSearch", "indexingTime")):
                raise not_spoken(f"{name} {value}")
            if name == "rankingRules" and set(value) & {"typo", "proximity", "exactness"}:
                raise not_spoken(f"one of the ranking rules {value}")

        def work() -> dict[str, Any]:
            index = self.indexes.setdefault(uid, Index(uid))
            for name, value in body.items():
                if name == "embedders":
                    for embedder in value.values():
                        if embedder["source"] != "userProvided":
                            raise not_spoken(f"embedders of {embedder['source']}")
                merged = {**index.settings[name], **value} if name in ("faceting", "pagination") else value
                index.settings[name] = merged
            return body

        return self._enqueue("settingsUpdate", uid, work)

    def _add_documents(self, uid: str, documents: list[dict[str, Any]]) -> Any:
        def work() -> dict[str, Any]:
            index = self.indexes.setdefault(uid, Index(uid, "id"))
            index.primary_key = index.primary_key or "id"
            for document in documents:
                row = str(document.get("id", ""))
                if not _ID.fullmatch(row):
                    raise bad(f"Document identifier `{row}` is invalid.", "invalid_document_id")
                for name, embedder in index.settings["embedders"].items():
                    vectors = document.get("_vectors") or {}
                    if name not in vectors:
                        raise bad(f"no vectors provided for document `{row}`", "vector_embedding_error")
                    if vectors[name] is not None and len(vectors[name]) != embedder["dimensions"]:
                        raise bad("Invalid vector dimensions", "invalid_vector_dimensions")
            for document in documents:
                index.documents.pop(str(document["id"]), None)
                index.documents[str(document["id"])] = document
            return {"receivedDocuments": len(documents), "indexedDocuments": len(documents)}

        return self._enqueue("documentAdditionOrUpdate", uid, work)

    def _delete_documents(self, uid: str, body: dict[str, Any]) -> Any:
        if not body.get("filter"):
            raise bad("Missing field `filter`", "missing_document_filter")

        def work() -> dict[str, Any]:
            index = self._index(uid)
            test = FilterParser(index, body["filter"]).parse()
            gone = [row for row, document in index.documents.items() if test(document)]
            for row in gone:
                del index.documents[row]
            return {"deletedDocuments": len(gone), "originalFilter": body["filter"]}

        return self._enqueue("documentDeletion", uid, work)

    def _delete_document(self, uid: str, row: str) -> Any:
        def work() -> dict[str, Any]:
            return {"deletedDocuments": int(self._index(uid).documents.pop(row, None) is not None)}

        return self._enqueue("documentDeletion", uid, work)

    def _swap(self, body: list[dict[str, Any]]) -> Any:
        def work() -> dict[str, Any]:
            for pair in body:
                one, other = pair["indexes"]
                self._index(one), self._index(other)
                self.indexes[one], self.indexes[other] = self.indexes[other], self.indexes[one]
                self.indexes[one].uid, self.indexes[other].uid = one, other
            return {"swaps": body}

        return self._enqueue("indexSwap", None, work)


@contextlib.contextmanager
def running(**options: Any) -> Iterator[MeilisearchServer]:
    """A started server, stopped on leaving."""
    server = MeilisearchServer(**options).start()
    try:
        yield server
    finally:
        server.fault = ""
        server.stop()


def main() -> None:
    """`python -m tests.meilisearch_server PORT`: a process that can be killed, and forgets everything then."""
    server = MeilisearchServer()
    server.port = int(sys.argv[1])
    server.start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
