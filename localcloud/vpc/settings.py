"""Switches and faults as a scenario file or the command line names them: texts, numbers and yes or no."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from localcloud.vpc.faults import Fault
from localcloud.vpc.names import Status
from localcloud.vpc.progression import Progression
from localcloud.vpc.switches import ANY_ACCOUNT, PaymentEnables, Switches, VbrVisibility

E = TypeVar("E", bound=StrEnum)

_READS = re.compile(r"after (\d+) reads?")
_DELAY = re.compile(r"after (\d+)(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def with_settings(switches: Switches, settings: Mapping[str, Any]) -> Switches:
    """The switches with some of them set. Raises ValueError with everything that is wrong with ``settings``.

    A visibility for one account is ``vbr_visibility.<account id>``; without an account it is for all of them.
    """
    wrong: list[str] = []
    for name, value in settings.items():
        field, _, account_id = name.partition(".")
        try:
            if field == "vbr_visibility":
                seen = {**(switches.vbr_visibility if account_id else {})}
                seen[account_id or ANY_ACCOUNT] = _one_of(VbrVisibility)(value)
                switches = replace(switches, vbr_visibility=seen)
            elif name in READ:
                switches = replace(switches, **{name: READ[name](value)})
            else:
                wrong.append(f"there is no switch {name}; there are {', '.join(sorted([*READ, 'vbr_visibility']))}")
        except ValueError as error:
            wrong.append(f"{name}: {error}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return switches


def settings_of(words: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` words as settings. Raises ValueError for a word without a name or a value."""
    settings: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not name.strip() or not value.strip():
            raise ValueError(f"{word!r} is not NAME=VALUE")
        settings[name.strip()] = value.strip()
    return settings


def faults_of(names: Iterable[str]) -> list[Fault]:
    """Faults by their names. Raises ValueError for a name that is none."""
    return [_one_of(Fault)(name) for name in names]


def _yes(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    known = {"yes": True, "true": True, "no": False, "false": False}
    if str(value).lower() not in known:
        raise ValueError(f"{value!r} is neither yes nor no")
    return known[str(value).lower()]


def _count(value: Any) -> int:
    if isinstance(value, bool) or not str(value).isdecimal():
        raise ValueError(f"{value!r} is not a number from 0 on")
    return int(value)


def _quota(value: Any) -> int | None:
    return None if value in (None, "none") else _count(value)


def _progression(value: Any) -> Progression:
    text = str(value)
    if text == "at once":
        return Progression.at_once()
    if reads := _READS.fullmatch(text):
        return Progression.after_reads(int(reads[1]))
    if delay := _DELAY.fullmatch(text):
        return Progression.by_clock(timedelta(**{_UNITS[delay[2]]: int(delay[1])}))
    raise ValueError(f"{text!r} is none of: at once, after 2 reads, after 5m")


def _one_of(kind: type[E]) -> Callable[[Any], E]:
    def read(value: Any) -> E:
        if str(value) not in set(kind):
            raise ValueError(f"{value!r} is none of: {', '.join(kind)}")
        return kind(str(value))

    return read


#: How each switch is read, but for ``vbr_visibility``, which has an account in its name.
READ: Mapping[str, Callable[[Any], Any]] = {
    "progression": _progression,
    "stale_reads": _count,
    "payment_enables": _one_of(PaymentEnables),
    "withdraw_allowed": _yes,
    "vlan_zero_excludes": _yes,
    "vlan_change_moves_vbr": _yes,
    "outbound_billing_required": _yes,
    "one_vbr_a_port": _yes,
    "vbr_vlan_inherited": _yes,
    "ports_per_circuit": _quota,
    "vbrs_per_account": _count,
    "fresh_port_status": _one_of(Status),
}
