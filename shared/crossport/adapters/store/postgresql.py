"""The store on PostgreSQL: the production engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from crossport.adapters.store.postgresql_engine import (
    BrokenConstraintError,
    Counters,
    PostgresqlEngine,
    RefusedSaveError,
)
from crossport.adapters.store.postgresql_saving import (
    LOST,
    REPEATED,
    one_save,
    record_parameters,
    record_statement,
    several_saves,
)
from crossport.adapters.store.sql_store import SqlStore, utc_now
from crossport.application.errors import IntegrityConflictError
from crossport.application.ports import InputRow, OutboxRow, Save, SaveOutcome, Unrouted

_OUTCOMES = {LOST: SaveOutcome.LOST, REPEATED: SaveOutcome.DUPLICATE}


class PostgresqlStore(SqlStore):
    """``Store`` on a PostgreSQL database: a load and a save are one round trip each, for one connection or for many.

    Deadlocks and failed serialisations are tried again here and counted. After a lost connection a write raises
    StoreUnavailableError, whether or not it was carried out: what was saved is known by its version and inbox keys, so
    that doing it again is safe.
    """

    def __init__(self, url: str, *, now: Callable[[], datetime] = utc_now) -> None:
        self._postgresql = PostgresqlEngine(url)
        super().__init__(self._postgresql, now=now)

    @property
    def counters(self) -> Counters:
        """Round trips, conflicts and connections so far."""
        return self._postgresql.counters

    def save(self, saves: Sequence[Save]) -> Sequence[SaveOutcome]:
        """See ``SqlStore.save``: ONE statement, a transaction of its own.

        Only when saves of one call disturb each other (one key in two of them, one that breaks a constraint), or
        several move circuits, they become one transaction of a statement each.
        """
        if not saves:
            return []
        if len(saves) == 1:
            return [self._alone(saves[0])]
        if all(save.circuit is None for save in saves) and len({_id(save) for save in saves}) == len(saves):
            try:
                return self._together(saves)
            except BrokenConstraintError as error:
                guilty = [_id(save) for save in saves if save.connection.port_id == error.values]
                if guilty:
                    # As if written one after the other: the last of them found the port taken.
                    raise IntegrityConflictError(error.message, connection_id=guilty[-1]) from error
            except RefusedSaveError:
                pass
            # Nothing was written; one after the other shows whose it is.
        return self._postgresql.persistently(lambda: self._one_by_one(saves))

    def record(
        self, inputs: Sequence[InputRow], *, outbox: Sequence[OutboxRow] = (), unrouted: Sequence[Unrouted] = ()
    ) -> None:
        """See ``SqlStore.record``: ONE statement."""
        shape, parameters = record_parameters(inputs, outbox, unrouted, self._asked_at(inputs))
        if shape:
            self._postgresql.returning(record_statement(shape), parameters)

    def _alone(self, save: Save) -> SaveOutcome:
        statement, parameters = one_save(save)
        try:
            with self._postgresql.part():
                won = self._postgresql.returning(statement, parameters)
        except RefusedSaveError as error:
            if error.state in _OUTCOMES:
                return _OUTCOMES[error.state]
            raise IntegrityConflictError(error.message, connection_id=_id(save)) from error
        except IntegrityConflictError as error:
            raise IntegrityConflictError(error.message, connection_id=_id(save)) from error
        return SaveOutcome.SAVED if won else SaveOutcome.LOST

    def _together(self, saves: Sequence[Save]) -> list[SaveOutcome]:
        statement, parameters = several_saves(saves)
        won = {connection_id for (connection_id,) in self._postgresql.returning(statement, parameters)}
        return [SaveOutcome.SAVED if _id(save) in won else SaveOutcome.LOST for save in saves]

    def _one_by_one(self, saves: Sequence[Save]) -> list[SaveOutcome]:
        """In their order, in one transaction, with every row locked first in the order of all workers."""
        circuits = [save.circuit.circuit_id for save in saves if save.circuit is not None]
        with self._postgresql.transaction():
            self._postgresql.rows("lock_many", {"circuits": circuits, "ids": [_id(save) for save in saves]})
            return [self._alone(save) for save in saves]


def _id(save: Save) -> str:
    return save.connection.connection_id
