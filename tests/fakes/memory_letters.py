"""Dead letters of the store in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from crossport.application.ports import DeadLetter, InputRow, LetterState, OutboxRow

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tests.fakes.memory_state import State, Transaction


class MemoryLetters:
    """Tries counted, letters kept and settled; see ``application.ports.Store``."""

    if TYPE_CHECKING:

        @property
        def state(self) -> State: ...

        def _writing(self) -> AbstractContextManager[Transaction]: ...

    def attempted(self, key: str, *, at: datetime) -> int:
        with self._writing() as transaction:
            tries = transaction.state.attempts.get(key, 0) + 1
            transaction.state.attempts[key] = tries
        return tries

    def keep_dead_letter(
        self, letter: DeadLetter, *, alert: Callable[[int], OutboxRow], inputs: Sequence[InputRow] = ()
    ) -> bool:
        with self._writing() as transaction:
            letters = transaction.state.letters
            if letter.key in letters:
                return False
            alike = [each.state for each in letters.values() if each.same_cause == letter.same_cause]
            letters[letter.key] = letter
            if LetterState.KEPT not in alike:
                transaction.insert_outbox(alert(len(alike)), letter.at)
            for row in inputs:
                transaction.audit(row, None)
        return True

    def dead_letter(self, key: str) -> DeadLetter | None:
        return self.state.letters.get(key)

    def settle_dead_letter(
        self, letter: DeadLetter, state: LetterState, *, actor: str, reason: str, at: datetime
    ) -> bool:
        with self._writing() as transaction:
            known = transaction.state.letters.get(letter.key)
            if known is None or known.state is not letter.state:
                return False
            transaction.state.letters[letter.key] = replace(known, state=state)
            transaction.state.administration.append(("dead_letter", actor, reason))
        return True
