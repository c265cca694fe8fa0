"""The store on SQLite: the embedded engine for one host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from crossport.adapters.store.engine import BUSY_TIMEOUT, SqliteEngine, Undone
from crossport.adapters.store.saving import write_alone, write_inputs, write_save
from crossport.adapters.store.sql_store import SqlStore, utc_now
from crossport.application.errors import IntegrityConflictError
from crossport.application.ports import InputRow, OutboxRow, Save, SaveOutcome, Unrouted


class SqliteStore(SqlStore):
    """``Store`` on one SQLite file.

    Several objects, in several processes of one host, work on one file: a writer waits ``busy_timeout`` seconds for
    another, then StoreUnavailableError.
    """

    def __init__(self, url: str, *, now: Callable[[], datetime] = utc_now, busy_timeout: float = BUSY_TIMEOUT) -> None:
        self._sqlite = SqliteEngine(url, busy_timeout=busy_timeout)
        super().__init__(self._sqlite, now=now)

    def save(self, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        """See ``SqlStore.save``."""
        if len(saves) == 1:
            return [self._alone(saves[0])]
        outcomes = []
        with self._sqlite.writing():
            for save in saves:
                try:
                    outcomes.append(write_save(self._sqlite, save))
                except IntegrityConflictError as error:
                    raise _blamed(save, error) from error
        return outcomes

    def _alone(self, save: Save) -> SaveOutcome:
        """One save is the whole transaction: it needs no savepoint."""
        outcome = SaveOutcome.SAVED
        try:
            with self._sqlite.writing():
                outcome = write_alone(self._sqlite, save)
                if outcome is not SaveOutcome.SAVED:
                    raise Undone
        except IntegrityConflictError as error:
            raise _blamed(save, error) from error
        return outcome

    def record(
        self, inputs: Sequence[InputRow], *, outbox: Sequence[OutboxRow] = (), unrouted: Sequence[Unrouted] = ()
    ) -> None:
        """See ``SqlStore.record``."""
        with self._sqlite.writing():
            write_inputs(self._sqlite, inputs, outbox, unrouted, self._asked_at(inputs))


def _blamed(save: Save, error: IntegrityConflictError) -> IntegrityConflictError:
    """A broken constraint names the connection whose save broke it."""
    return IntegrityConflictError(error.message, connection_id=save.connection.connection_id)
