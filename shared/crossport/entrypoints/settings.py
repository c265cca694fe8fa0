"""What a function or command takes from its environment, checked at once and completely.

Plain standard library: event functions start without pydantic. Credentials are not settings: on Function Compute they
change while an instance is warm, so adapters read them for each invocation.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from crossport.entrypoints.errors import SettingsError

_HOST_PORT = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
#: An address, alone or with a display name before it: ``Partner NOC <noc@partner.example>``.
_ADDRESS = re.compile(r"[^@\s<>]+@[^@\s<>]+|[^@<>\r\n]*<[^@\s<>]+@[^@\s<>]+>")
#: PostgreSQL on a Unix socket: no host but a folder, as a parameter.
_SOCKET = re.compile(r"postgresql://(?:[^/?#@]*@)?/[^?#]+\?(?:[^#]*&)?host=(?:/|%2F)[^#&]+")
#: Who mail is from when nobody said so and the mail server is the local cloud's.
LOOPBACK_SENDER = "crossport@localhost"
_REGION = re.compile(r"[a-z]{2}-[a-z0-9-]{1,40}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The environment of one process. URLs that may carry a password are left out of the repr."""

    #: CROSSPORT_DB: ``sqlite:///...`` or ``postgresql://...``.
    database_url: str = field(repr=False)
    #: CROSSPORT_REGION: the home region.
    region: str
    #: FC_ACCOUNT_ID, the account that the function runs in; "" outside Function Compute.
    account_id: str = ""
    #: CROSSPORT_VPC_ENDPOINT, host or host:port; "": the SDK's own choice for the region.
    vpc_endpoint: str = ""
    #: CROSSPORT_MNS_ENDPOINT, a URL; "": this process has no queues.
    mns_endpoint: str = ""
    #: CROSSPORT_FC_ENDPOINT, host or host:port.
    fc_endpoint: str = ""
    #: CROSSPORT_SMTP_URL, smtp:// or smtps://; "": this process sends no mail.
    smtp_url: str = field(default="", repr=False)
    #: CROSSPORT_MAIL_FROM: the sender's address, with or without a display name. A mail server on loopback takes any.
    mail_from: str = ""
    #: CROSSPORT_CLOCK: the file with the clock's offset; the local cloud only.
    clock_file: Path | None = None

    @classmethod
    def read(cls, environ: Mapping[str, str], *, needs: Collection[str] = ()) -> Settings:
        """Settings from an environment. ``needs`` names further variables that this process cannot do without.

        Raises SettingsError naming every missing or wrong variable, never a value.
        """
        reading = _Reading(environ, needs)
        smtp_url = reading.url("CROSSPORT_SMTP_URL", {"smtp", "smtps"})
        settings = cls(
            database_url=reading.database("CROSSPORT_DB"),
            region=reading.region("CROSSPORT_REGION"),
            account_id=reading.text("FC_ACCOUNT_ID"),
            vpc_endpoint=reading.host_port("CROSSPORT_VPC_ENDPOINT"),
            mns_endpoint=reading.url("CROSSPORT_MNS_ENDPOINT", {"http", "https"}),
            fc_endpoint=reading.host_port("CROSSPORT_FC_ENDPOINT"),
            smtp_url=smtp_url,
            mail_from=reading.address("CROSSPORT_MAIL_FROM", smtp_url),
            clock_file=Path(path) if (path := reading.text("CROSSPORT_CLOCK")) else None,
        )
        reading.check_place()
        if reading.problems:
            raise SettingsError(reading.problems)
        return settings


class _Reading:
    """One pass over the environment; problems are gathered, not raised."""

    def __init__(self, environ: Mapping[str, str], needs: Collection[str]) -> None:
        self._environ = environ
        self._needs = {"CROSSPORT_DB", "CROSSPORT_REGION", *needs}
        self._hosts: list[str] = []
        self.problems: list[str] = []

    def text(self, name: str) -> str:
        value = self._environ.get(name, "").strip()
        if not value and name in self._needs:
            self.problems.append(f"{name} is missing")
        return value

    def database(self, name: str) -> str:
        value = self.text(name)
        if value.startswith("sqlite:"):
            if not re.fullmatch(r"sqlite:///.+", value):
                self.problems.append(f"{name} must be sqlite:///path (sqlite:////path for an absolute one)")
        elif value and self._split(value, {"postgresql"}) is None and not _SOCKET.match(value):
            self.problems.append(f"{name} must be a sqlite:/// or postgresql:// URL")
        return value

    def region(self, name: str) -> str:
        value = self.text(name)
        if value and not _REGION.fullmatch(value):
            self.problems.append(f"{name} must be a region's id such as us-east-1")
        return value

    def host_port(self, name: str) -> str:
        value = self.text(name)
        match = _HOST_PORT.fullmatch(value)
        if value and (match is None or int(match["port"] or 0) > 65_535):
            self.problems.append(f"{name} must be host or host:port, without http://")
        elif match is not None:
            self._hosts.append(match["host"].strip("[]"))
        return value

    def url(self, name: str, schemes: Collection[str]) -> str:
        """The URL, or "" when it is missing or wrong."""
        value = self.text(name)
        parts = self._split(value, schemes) if value else None
        if parts is None:
            if value:
                self.problems.append(f"{name} must be a URL with {' or '.join(f'{s}://' for s in sorted(schemes))}")
            return ""
        self._hosts.append(parts.hostname or "")
        return value

    def address(self, name: str, smtp_url: str) -> str:
        value = self.text(name)
        if not value and smtp_url:
            if _is_loopback(urlsplit(smtp_url).hostname or ""):
                return LOOPBACK_SENDER
            self.problems.append(f"{name} is missing (CROSSPORT_SMTP_URL needs it)")
        elif value and not _ADDRESS.fullmatch(value):
            self.problems.append(f"{name} must be one e-mail address")
        return value

    def check_place(self) -> None:
        """What belongs to the local cloud alone is refused anywhere else."""
        loopback = bool(self._hosts) and all(_is_loopback(host) for host in self._hosts)
        if loopback:
            return
        if self._environ.get("FC_FUNCTION_NAME") and self._environ.get("CROSSPORT_DB", "").strip().startswith(
            "sqlite:"
        ):
            self.problems.append(
                "CROSSPORT_DB must be PostgreSQL on Function Compute: an instance's disk does not last"
            )
        if self._environ.get("CROSSPORT_CLOCK", "").strip():
            self.problems.append("CROSSPORT_CLOCK is for loopback endpoints only")

    @staticmethod
    def _split(value: str, schemes: Collection[str]) -> SplitResult | None:
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError:
            return None
        return parts if parts.scheme in schemes and parts.hostname else None


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
