"""Speaking with a Meilisearch server: time limits, what went wrong, and not asking a dead one again and again.

The only module that knows the client library. The first request of a connection, and the first after a
trouble, asks for the server's version. A server that does not answer in time, or answers what it must not,
is left alone for a pause that doubles with each failure; meanwhile every question fails at once, so that
no page waits. After the pause one question goes ahead, behind a short look at the server's health.
"""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import requests
from meilisearch import Client
from meilisearch.errors import MeilisearchApiError, MeilisearchError
from meilisearch.models.task import TaskInfo

T = TypeVar("T")

Order = Callable[[Client], TaskInfo]
"""A change that the server takes as a task."""

OLDEST = (1, 14)
"""The first version that lets each filterable attribute say what it is filtered by."""

OLDEST_TEXT = ".".join(map(str, OLDEST))


class Trouble(RuntimeError):
    """The server did not do what was asked. The text is for operators and holds no key."""


class OutOfReach(Trouble):
    """No answer in time, none that makes sense, or the key is not accepted."""


class TooOld(OutOfReach):
    """A version below OLDEST."""

    def __init__(self, version: str) -> None:
        self.version = version
        super().__init__(f"Meilisearch {version} is too old: {OLDEST_TEXT} or newer is needed")


class KeyRefused(OutOfReach):
    """The API key is not accepted, or not for this."""


class Refused(Trouble):
    """The server understood and said no: `code` is its error code (`index_not_found`)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class TaskFailed(Trouble):
    """A change was accepted and could not be carried out."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait, seconds. `question` also bounds what a page waits for a server that stands still."""

    connect: float = 1.0
    question: float = 3.0
    change: float = 30.0
    task: float = 600.0
    probe: float = 1.0
    pause: float = 1.0
    longest_pause: float = 15.0


class Connection:
    """One server, asked from any thread."""

    def __init__(self, url: str, key: str | None = None, patience: Patience = Patience()) -> None:
        self.url = url.rstrip("/")
        self._key = key or None
        self._patience = patience
        self._local = threading.local()
        self._lock = threading.Lock()
        self._why = ""
        self._pause = patience.pause
        self._retry_at = 0.0
        self._version = ""

    @property
    def trouble(self) -> str:
        """What went wrong last, empty while the server answers."""
        return self._why

    def version(self) -> str:
        """The server's version, asked now. Raises TooOld below OLDEST."""
        return self._checked_version(self._client(self._patience.question))

    def ask(self, question: Callable[[Client], T]) -> T:
        """Something that a page may wait for."""
        return self._call(question, self._patience.question)

    def change(self, *orders: Order) -> None:
        """Give orders in turn, and return when the last of their tasks has succeeded. Raises TaskFailed."""
        tasks = [self._call(order, self._patience.change) for order in orders]
        for task in tasks:
            self._wait(task.task_uid)

    def _wait(self, uid: int) -> None:
        deadline = time.monotonic() + self._patience.task
        pause = 0.005
        while True:
            task = self._call(lambda client: client.get_task(uid), self._patience.change)
            if task.status == "succeeded":
                return
            if task.status not in ("enqueued", "processing"):
                error = task.error or {}
                raise TaskFailed(f"{task.type} {task.status}: {error.get('code')}: {error.get('message')}")
            if time.monotonic() > deadline:
                raise OutOfReach(f"{task.type} is still {task.status} after {self._patience.task:.0f} s")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.25)

    def _call(self, question: Callable[[Client], T], seconds: float) -> T:
        self._admit()
        try:
            client = self._client(seconds)
            if not self._version:
                self._version = self._checked_version(client)
            answer = _spoken(question, client)
        except OutOfReach as trouble:
            with self._lock:
                self._version = ""
                self._why = str(trouble)
                self._retry_at = time.monotonic() + self._pause
                self._pause = min(self._pause * 2, self._patience.longest_pause)
            raise
        except Refused:
            self._recovered()
            raise
        self._recovered()
        return answer

    def _recovered(self) -> None:
        """The server has answered, be it with a no."""
        if self._why:
            with self._lock:
                self._why, self._pause = "", self._patience.pause

    def _admit(self) -> None:
        """Let a question through; one at a time, and after a look at the server, while there is trouble."""
        if not self._why:
            return
        with self._lock:
            now = time.monotonic()
            if self._why and now < self._retry_at:
                raise OutOfReach(self._why)
            # Whoever comes while this one looks is turned away.
            self._retry_at = now + self._patience.probe + self._pause
        try:
            _spoken(lambda client: client.health(), self._client(self._patience.probe))
        except Trouble as trouble:
            with self._lock:
                self._retry_at = time.monotonic() + self._pause
                self._pause = min(self._pause * 2, self._patience.longest_pause)
            raise OutOfReach(str(trouble)) from None

    def _checked_version(self, client: Client) -> str:
        told = str(_spoken(lambda client: client.get_version()["pkgVersion"], client))
        match = re.match(r"(\d+)\.(\d+)", told)
        if match is None or (int(match[1]), int(match[2])) < OLDEST:
            raise TooOld(told)
        return told

    def _client(self, seconds: float) -> Client:
        """A client of this thread's own: the library's keeps the headers of the request under way."""
        clients: dict[float, Client] = self._local.__dict__.setdefault("clients", {})
        if seconds not in clients:
            timeout: Any = (self._patience.connect, seconds)
            clients[seconds] = Client(self.url, self._key, timeout=timeout)
        return clients[seconds]


def _spoken(question: Callable[[Client], T], client: Client) -> T:
    """Ask, and name what went wrong."""
    try:
        return question(client)
    except MeilisearchApiError as error:
        code, status = str(error.code or "none"), error.status_code
        if status in (401, 403):
            raise KeyRefused(f"answer {status} ({code}): {str(error.message)[:200]}") from None
        if status in (408, 429) or status >= 500:
            raise OutOfReach(f"answer {status} ({code}): {str(error.message)[:200]}") from None
        raise Refused(code, str(error.message)[:500]) from None
    except (MeilisearchError, requests.RequestException) as error:
        raise OutOfReach(f"{type(error).__name__}: {str(error)[:200]}") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutOfReach(f"answered what is not Meilisearch's: {type(error).__name__}") from None
