"""Access keys for the SDKs, read anew for every call so that rotated ones are used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from crossport.domain.errors import CrossportError


class MissingCredentialsError(CrossportError):
    """There are no credentials for the account."""

    code: ClassVar[str] = "missing_credentials"


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """An access key. ``security_token`` is "" for a permanent key. The secrets never appear in a repr."""

    access_key_id: str
    access_key_secret: str = field(repr=False)
    security_token: str = field(default="", repr=False)


def from_environment(environ: Mapping[str, str] | None = None) -> Credentials:
    """The credentials that Function Compute puts into the environment, as they are now.

    The Python 3.12 runtime has no ``context.credentials``; the variables are the documented way (Function Compute
    documentation, "Context"). Raises MissingCredentialsError when the key or its secret is absent or empty.
    """
    variables = os.environ if environ is None else environ
    key_id = variables.get("ALIBABA_CLOUD_ACCESS_KEY_ID", "")
    secret = variables.get("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "")
    if not key_id or not secret:
        raise MissingCredentialsError(
            "ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET are not both set in the environment"
        )
    return Credentials(
        access_key_id=key_id,
        access_key_secret=secret,
        security_token=variables.get("ALIBABA_CLOUD_SECURITY_TOKEN", ""),
    )


@dataclass(frozen=True, slots=True)
class EnvironmentCredentials:
    """Credentials by account id, for the one account that this process runs in.

    Credentials never cross accounts: any other account raises MissingCredentialsError instead of being called with
    the wrong key.
    """

    account_id: str
    environ: Mapping[str, str] | None = field(default=None, repr=False)

    def __call__(self, account_id: str) -> Credentials:
        """The credentials of ``account_id``, read now."""
        if account_id != self.account_id:
            raise MissingCredentialsError(
                f"the environment holds credentials of account {self.account_id}, not of {account_id}",
                account_id=account_id,
            )
        return from_environment(self.environ)
