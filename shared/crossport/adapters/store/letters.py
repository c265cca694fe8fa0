"""Dead letters on every SQL engine: the same promises as ``application.ports.Store`` names."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from crossport.adapters.store.administration import Administration
from crossport.adapters.store.rows import input_columns, json_text, outbox_columns, stamp, time_of
from crossport.application.ports import DeadLetter, InputRow, LetterState, OutboxRow

#: A record that has not come again for this long never will: no trigger repeats a push for more than a day.
ATTEMPTS_KEPT = timedelta(days=7)


class Letters(Administration):
    """Tries counted, letters kept and settled."""

    def attempted(self, key: str, *, at: datetime) -> int:
        """See ``Store.attempted``."""
        ((tries,),) = self._engine.changed_rows("count_attempt", {"key": key, "at": stamp(at)})
        if tries == 1:
            self._engine.change("forget_attempts", {"before": stamp(at - ATTEMPTS_KEPT)})
        return int(tries)

    def keep_dead_letter(
        self, letter: DeadLetter, *, alert: Callable[[int], OutboxRow], inputs: Sequence[InputRow] = ()
    ) -> bool:
        """See ``Store.keep_dead_letter``."""
        with self._engine.writing():
            if self._engine.write("insert_dead_letter", _columns(letter)) == 0:
                return False
            counted = self._engine.row("dead_letters_of_cause", _columns(letter))
            kept, settled = counted or (1, 0)
            if kept == 1:
                self._engine.write("insert_outbox", outbox_columns(alert(settled), letter.at))
            for row in inputs:
                self._engine.write("insert_audit", input_columns(row, None))
        return True

    def dead_letter(self, key: str) -> DeadLetter | None:
        """See ``Store.dead_letter``."""
        row = self._engine.row("get_dead_letter", {"key": key})
        return None if row is None else _letter(row)

    def settle_dead_letter(
        self, letter: DeadLetter, state: LetterState, *, actor: str, reason: str, at: datetime
    ) -> bool:
        """See ``Store.settle_dead_letter``."""
        columns = {"key": letter.key, "before": letter.state, "state": state, "actor": actor, "reason": reason}
        with self._engine.writing():
            if self._engine.write("settle_dead_letter", {**columns, "at": stamp(at)}) == 0:
                return False
            details = {"letter": letter.key, "function": letter.function, "cause": letter.cause, "state": str(state)}
            self._audit("dead_letter", details, actor=actor, reason=reason, at=at, account_id=letter.account_id)
        return True


def _columns(letter: DeadLetter) -> dict[str, Any]:
    return {
        "key": letter.key,
        "at": stamp(letter.at),
        "function": letter.function,
        "source": letter.source,
        "cause": letter.cause,
        "form": letter.form,
        "account_id": letter.account_id,
        "name": letter.name,
        "details": json_text(letter.details),
        "body": letter.body,
    }


def _letter(row: tuple[Any, ...]) -> DeadLetter:
    key, at, function, source, cause, form, account_id, name, details, state, _, _, _, body = row
    return DeadLetter(
        key=key,
        at=time_of(at),
        function=function,
        source=source,
        cause=cause,
        form=form,
        account_id=account_id,
        name=name,
        details=json.loads(details),
        body=bytes(body),
        state=LetterState(state),
    )
