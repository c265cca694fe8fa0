"""The parts of the VPC service that need no wire: terms, tables, progressions, rates, parameters, ids."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from localcloud.vpc.errors import VpcError
from localcloud.vpc.ids import Ids
from localcloud.vpc.parameters import Parameters
from localcloud.vpc.progression import Changes, Progression
from localcloud.vpc.table import Table
from localcloud.vpc.terms import renewed_end, term_end
from localcloud.vpc.throttle import Throttle

NOW = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("enabled_at", "months", "end"),
    [
        # The documentation's example: 2022-08-09 13:00 in UTC+8, one month, ends on 2022-09-10 at 00:00.
        ("2022-08-09T05:00:00+00:00", 1, "2022-09-09T16:00:00+00:00"),
        # The SDK's sample of ListVirtualPhysicalConnections.
        ("2021-10-08T10:44:00+00:00", 1, "2021-11-08T16:00:00+00:00"),
        # In UTC it is still the day before.
        ("2026-03-09T16:30:00+00:00", 1, "2026-04-10T16:00:00+00:00"),
        ("2026-01-31T04:00:00+00:00", 1, "2026-02-28T16:00:00+00:00"),
        ("2026-11-30T04:00:00+00:00", 12, "2027-11-30T16:00:00+00:00"),
    ],
)
def test_a_term_ends_at_midnight_after_the_anniversary(enabled_at: str, months: int, end: str) -> None:
    assert term_end(datetime.fromisoformat(enabled_at), months) == datetime.fromisoformat(end)


def test_a_renewal_continues_from_the_old_end() -> None:
    # The documentation's example: to 2022-10-10 at 00:00 in UTC+8.
    end = datetime(2022, 9, 9, 16, tzinfo=UTC)
    assert renewed_end(end, 1) == datetime(2022, 10, 9, 16, tzinfo=UTC)


def test_a_table_shows_the_past_for_as_many_reads_as_asked() -> None:
    table: Table[int] = Table()
    table.put("a", 1)
    table.put("a", 2, stale_reads=2)
    table.put("b", 5, stale_reads=1)
    assert (table.get("a"), table.all(), table.visible()) == (2, [2, 5], [1])
    table.count_read()
    assert table.visible() == [1, 5]
    table.put("a", 3, stale_reads=1)
    assert table.visible() == [1, 5]
    table.count_read()
    assert table.visible() == [3, 5]


def test_a_removed_row_can_linger() -> None:
    table: Table[int] = Table()
    table.put("a", 1)
    table.remove("a", stale_reads=1)
    assert (table.get("a"), table.visible()) == (None, [1])
    table.count_read()
    assert table.visible() == []


def test_changes_finish_at_once_after_reads_or_by_the_clock() -> None:
    done: list[tuple[str, datetime]] = []
    changes = Changes()
    changes.begin(Progression.at_once(), "a", NOW, lambda at: done.append(("a", at)))
    changes.begin(Progression.after_reads(2), "b", NOW, lambda at: done.append(("b", at)))
    changes.begin(Progression.by_clock(timedelta(hours=2)), "c", NOW, lambda at: done.append(("c", at)))
    changes.begin(Progression.by_clock(timedelta(hours=1)), "d", NOW, lambda at: done.append(("d", at)))
    changes.read("b", NOW)
    changes.read("c", NOW)
    changes.settle(NOW + timedelta(minutes=59))
    assert done == [("a", NOW)]
    changes.read("b", NOW + timedelta(minutes=1))
    changes.settle(NOW + timedelta(days=1))
    changes.settle(NOW + timedelta(days=2))
    assert done[1:] == [
        ("b", NOW + timedelta(minutes=1)),
        ("d", NOW + timedelta(hours=1)),
        ("c", NOW + timedelta(hours=2)),
    ]


def test_a_progression_takes_something() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Progression.after_reads(0)
    with pytest.raises(ValueError, match="positive"):
        Progression.by_clock(timedelta())


def test_a_rate_is_a_sliding_window_by_key() -> None:
    times = iter([0.0, 59.0, 59.5, 59.5, 60.0, 61.0])
    throttle = Throttle(2, lambda: next(times))
    assert [throttle.admit("a"), throttle.admit("a"), throttle.admit("a"), throttle.admit("b")] == [
        True,
        True,
        False,
        True,
    ]
    assert [throttle.admit("a"), throttle.admit("a")] == [True, False]


def test_zero_is_a_value_and_absence_is_not() -> None:
    given = Parameters({"VlanId": "0", "Empty": ""})
    assert given.required_bounded("VlanId", 0, 2999) == 0
    assert given.bounded("Other", 0, 2999) is None
    for name in ("Empty", "Other"):
        with pytest.raises(VpcError, match=f"MissingParam.{name}"):
            given.required_bounded(name, 0, 2999)


@pytest.mark.parametrize("value", ["1.5", "1e3", "0x10", "١", "1 ", "+1"])
def test_a_number_is_written_in_digits(value: str) -> None:
    with pytest.raises(VpcError, match=r"IllegalParam\.VlanId"):
        Parameters({"VlanId": value}).integer("VlanId")


def test_lists_tags_and_flags_are_read_as_sdks_write_them() -> None:
    given = Parameters(
        {
            "VlanIds.1": "0",
            "VlanIds.2": "7",
            "VlanIds.4": "9",
            "Tag.1.Key": "k",
            "Tag.1.Value": "v",
            "Tag.2.Key": "only",
            "A": "True",
            "B": "false",
            "C": "yes",
        }
    )
    assert given.listed("VlanIds") == ["0", "7"]
    assert given.tags("Tag") == (("k", "v"), ("only", ""))
    assert (given.flag("A"), given.flag("B"), given.flag("D")) == (True, False, None)
    with pytest.raises(VpcError, match=r"IllegalParam\.C"):
        given.flag("C")


@pytest.mark.parametrize("key", ["", "aliyun-x", "acs:x", "k" * 129])
def test_reserved_and_empty_tag_keys_are_refused(key: str) -> None:
    with pytest.raises(VpcError, match=r"IllegalParam\.Tag"):
        Parameters({"Tag.1.Key": key}).tags("Tag")


def test_seeded_ids_repeat_and_have_the_clouds_form() -> None:
    first, second, free = Ids(7), Ids(7), Ids()
    assert [first.resource("pc"), first.resource("vbr"), first.resource("pc")] == [
        "pc-local000000000001",
        "vbr-local000000000001",
        "pc-local000000000002",
    ]
    assert len(first.resource("pc").removeprefix("pc-")) == 17
    request_id = first.request()
    assert request_id == second.request()
    assert request_id != free.request()
    assert len(request_id) == 36
