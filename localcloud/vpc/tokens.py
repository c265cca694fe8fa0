"""Idempotency tokens: the same token with the same parameters has the same answer (API reference, "Idempotence")."""

from __future__ import annotations

from localcloud.vpc.call import Answer, Call, Operation
from localcloud.vpc.errors import VpcError

_LONGEST = 64


class Tokens:
    """The answers of successful calls that had a token, by account, operation and token.

    A refused call leaves nothing behind, so that it can be repeated once its cause is gone. Dry runs neither use nor
    leave a token.
    """

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str, str], tuple[dict[str, str], Answer]] = {}

    def known(self, operation: Operation, call: Call) -> Answer | None:
        """The earlier answer of this call, or None. Raises IdempotentParameterMismatch for other parameters."""
        token = self._token(operation, call)
        known = self._answers.get((call.account_id, call.action, token)) if token else None
        if known is None:
            return None
        parameters, answer = known
        if parameters != call.parameters.as_sent():
            raise VpcError(
                "IdempotentParameterMismatch",
                "Request uses a client token in a previous request but is not identical to that request.",
            )
        return answer

    def keep(self, operation: Operation, call: Call, answer: Answer) -> None:
        """Remember the answer of a successful call."""
        token = self._token(operation, call)
        if token:
            self._answers[call.account_id, call.action, token] = (call.parameters.as_sent(), answer)

    @staticmethod
    def _token(operation: Operation, call: Call) -> str:
        if not operation.write or call.dry_run:
            return ""
        token = call.parameters.text(operation.idempotency)
        if len(token) > _LONGEST or not token.isascii():
            raise VpcError(
                f"IllegalParam.{operation.idempotency}", "Token verify failed because client token length too long."
            )
        return token
