"""Something between a store and its PostgreSQL server: it counts round trips and can lose a reply."""

from __future__ import annotations

import selectors
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from threading import Thread
from types import TracebackType
from urllib.parse import quote


class PostgresqlProxy:
    """Listens on a Unix socket of its own and passes everything on to the server's."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._folder = Path(tempfile.mkdtemp(prefix="crossport-proxy-"))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self._folder / ".s.PGSQL.5432"))
        self._listener.listen()
        #: How often the client spoke after the server had: what a network's delay is paid for.
        self.round_trips = 0
        #: The next reply is lost, and the connection with it. The server has done what it was asked.
        self.lose_next_reply = False
        self._threads = [Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def url(self, database: str) -> str:
        """The URL of a database of the server's, by way of this proxy."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._folder), safe='')}"

    def __enter__(self) -> PostgresqlProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
        shutil.rmtree(self._folder)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            thread = Thread(target=self._pass_on, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as server, selectors.DefaultSelector() as waiting:
            server.connect(str(self._server))
            waiting.register(client, selectors.EVENT_READ, server)
            waiting.register(server, selectors.EVENT_READ, client)
            last: object = None
            while True:
                for key, _ in waiting.select():
                    source = key.fileobj
                    assert isinstance(source, socket.socket)
                    try:
                        data = source.recv(65_536)
                    except OSError:
                        return
                    if not data:
                        return
                    if source is client and last is not client:
                        self.round_trips += 1
                    if source is server and self.lose_next_reply:
                        self.lose_next_reply = False
                        return
                    last = source
                    key.data.sendall(data)
