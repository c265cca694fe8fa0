"""Commands that change something: migrate, apply, contracts and tenants."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from crossport.adapters.store.open import open_store
from crossport.adapters.store.sql_store import SqlStore
from crossport.adapters.store.sqlite import SqliteStore

#: The fixture ``run``: arguments in, exit code, stdout and stderr out.
Run = Callable[..., Any]
EXAMPLE = Path(__file__).parents[3] / "events" / "scenarios" / "partner.yaml"
ACCOUNT = "1180000000000001"
TENANT = "1290000000000011"
WHO = ("--actor", "noc", "--reason", "ticket 7")


def edited(tmp_path: Path, edit: Any) -> Path:
    """The example with a change."""
    document = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))
    edit(document)
    path = tmp_path / "edited.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def audit(store: SqlStore) -> list[tuple[Any, ...]]:
    """What was changed, by whom and why, oldest first."""
    assert isinstance(store, SqliteStore)
    connection = store._sqlite._connection
    rows = connection.execute("SELECT name, actor, reason FROM audit WHERE kind = 'administration' ORDER BY id")
    return rows.fetchall()


def test_migrate_creates_the_database_once(run: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new.db'}"
    first, second = (run("migrate", "--db", url, "--json").json for _ in range(2))
    assert first["applied"]
    assert second == {"applied": []}
    assert run("migrate", "--db", url).out == "The database is up to date already.\n"


def test_migrate_without_a_folder(run: Run, tmp_path: Path) -> None:
    result = run("migrate", "--db", f"sqlite:///{tmp_path / 'no' / 'folder.db'}")
    assert result.code == 1
    assert result.err.startswith("crossport: the database cannot be migrated now")


def test_apply_puts_the_configuration_in_force_once(run: Run, empty: str) -> None:
    first = run("apply", EXAMPLE, "--db", empty, *WHO, "--json").json
    assert (first["version"], first["dry_run"], first["warnings"]) == (1, False, [])
    assert [change["place"] for change in first["differences"]] == [
        "partner",
        "accounts",
        "circuits[pc-dc11equinix0000001]",
        "circuits[pc-dc11equinix0000002]",
        "tenants[1290000000000011]",
        "tenants[1290000000000022]",
    ]
    again = run("apply", EXAMPLE, "--db", empty, *WHO, "--json").json
    assert (again["version"], again["differences"]) == (1, [])
    with open_store(empty) as store:
        tenant = store.tenant(TENANT)
        assert tenant is not None
        assert (tenant.language, tenant.zone) == ("zh-CN", "Asia/Shanghai")
        assert store.circuit("pc-dc11equinix0000002") is not None
        assert {row[1:] for row in audit(store)} == {("noc", "ticket 7")}


def test_apply_says_who_by_itself(run: Run, empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "operator")
    monkeypatch.setenv("CROSSPORT_CONFIG", str(EXAMPLE))
    assert run("apply", "--db", empty).code == 0
    with open_store(empty) as store:
        assert {row[1:] for row in audit(store)} == {("operator", "crossport apply partner.yaml")}


def test_dry_run_shows_what_would_change_and_changes_nothing(run: Run, applied: str, tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        account = document["accounts"][0]
        account["policy"]["cool_down"] = 14
        account["circuits"][0]["bandwidth_mbps"] = 2_000
        del account["circuits"][1]
        document["tenants"][1]["email"] = "new@tenant-two.example"
        document["contracts"] = [
            {"number": "C-9", "account_id": ACCOUNT, "tenant_uid": TENANT, "valid_from": "2026-01-01"}
        ]

    path = edited(tmp_path, edit)
    told = run("apply", path, "--dry-run", "--db", applied).out
    assert told.splitlines() == [
        f"~ accounts[{ACCOUNT}].policy.cool_down: 7 -> 14",
        "~ circuits[pc-dc11equinix0000001].bandwidth_mbps: 1000 -> 2000",
        "~ tenants[1290000000000022].email: network@tenant-two.example -> new@tenant-two.example",
        "+ contracts[C-9]",
        "- circuits[pc-dc11equinix0000002] (not in the file; stays in the store)",
        "5 changes; nothing was written.",
    ]
    assert run("apply", path, "--dry-run", "--db", applied).out == told
    assert run("apply", path, "--db", applied, "--json").json["version"] == 2
    with open_store(applied) as store:
        assert store.circuit("pc-dc11equinix0000002") is not None
        circuit = store.circuit("pc-dc11equinix0000001")
        assert circuit is not None
        assert circuit.bandwidth_mbps == 2_000
    assert run("apply", path, "--dry-run", "--db", applied).out == "No changes; nothing was written.\n"


def test_apply_compares_with_rows_that_a_command_has_changed(run: Run, applied: str) -> None:
    assert run("tenants", "put", "--tenant", TENANT, "--language", "en", *WHO, "--db", applied).code == 0
    told = run("apply", EXAMPLE, "--dry-run", "--db", applied).out
    assert f"~ tenants[{TENANT}].language: en -> zh-CN\n" in told


def test_apply_tells_every_problem_and_writes_nothing(run: Run, empty: str, tmp_path: Path) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["version"] = 3
        document["accounts"][0]["policy"]["specs"] = ["51M"]

    path = edited(tmp_path, edit)
    result = run("apply", path, "--db", empty, "--json")
    assert (result.code, result.out) == (2, "")
    heading, *problems = result.err.splitlines()
    assert heading == f"crossport: 2 problems in {path}:"
    assert problems[0] == "  version: input should be 1"
    with open_store(empty) as store:
        assert store.configuration() is None


def test_apply_says_one_problem_in_one_line(run: Run, empty: str, tmp_path: Path) -> None:
    path = edited(tmp_path, lambda document: document.update(colour="blue"))
    result = run("apply", path, "--db", empty)
    assert (result.code, result.err) == (2, f"crossport: {path}: colour: is not a known key\n")


def test_apply_warns_on_stderr(run: Run, empty: str, tmp_path: Path) -> None:
    path = edited(tmp_path, lambda document: document["accounts"][0].pop("partner_price_list"))
    result = run("apply", path, "--db", empty)
    assert result.code == 0
    assert result.err.startswith(f"crossport: warning: account {ACCOUNT}: PayByPhysicalConnectionOwner")


def _raise_prices(document: dict[str, Any], **changes: Any) -> None:
    account = document["accounts"][0]
    old = account["partner_price_list"]
    raised = {"outside": {"50M": "33.00", "200M": "80.00", "500M": "190.00", "1G": "270.00"}}
    new = {**old, "version": "2027", "port_month": raised, "effective_from": "2999-01-01", "earlier": [old]}
    account["partner_price_list"] = {**new, **changes}


def test_apply_takes_a_new_version_of_the_price_list(run: Run, applied: str, tmp_path: Path) -> None:
    path = edited(tmp_path, _raise_prices)
    assert run("apply", path, "--db", applied, "--json").json["version"] == 2
    assert run("apply", path, "--db", applied).out.endswith("nothing has changed.\n")
    assert run("apply", EXAMPLE, "--db", applied, "--json").json["version"] == 3


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"effective_from": "2026-01-01"}, "version 2027 begins in the past"),
        ({"effective_from": None, "earlier": []}, "version 2026-11 has been in force: keep it under earlier"),
        ({"version": "2026-11", "effective_from": None, "earlier": []}, "version 2026-11 has been in force and cannot"),
    ],
)
def test_apply_refuses_a_price_list_that_breaks_what_was_in_force(
    run: Run, applied: str, tmp_path: Path, changes: dict[str, Any], problem: str
) -> None:
    path = edited(tmp_path, lambda document: _raise_prices(document, **changes))
    for options in ((), ("--dry-run",)):
        result = run("apply", path, *options, "--db", applied)
        assert (result.code, result.out) == (2, "")
        assert f"accounts[0].partner_price_list: {problem}" in result.err
    with open_store(applied) as store:
        configuration = store.configuration()
        assert configuration is not None
        assert configuration[0] == 1


def test_apply_without_a_file(run: Run, empty: str) -> None:
    result = run("apply", "--db", empty)
    assert result.code == 2
    assert "CROSSPORT_CONFIG" in result.err
    missing = run("apply", "nowhere.yaml", "--db", empty)
    assert (missing.code, missing.err) == (2, "crossport: nowhere.yaml cannot be read: No such file or directory\n")


def test_apply_needs_a_migrated_database(run: Run, tmp_path: Path) -> None:
    result = run("apply", EXAMPLE, "--db", f"sqlite:///{tmp_path / 'x.db'}")
    assert result.code == 1
    assert result.err.endswith("run crossport migrate\n")
    assert list(tmp_path.iterdir()) == []


def test_a_circuit_of_another_account_stops_apply_before_it_is_in_force(run: Run, applied: str, tmp_path: Path) -> None:
    path = edited(tmp_path, lambda document: document["accounts"][0].update(account_id="1180000000000009"))
    result = run("apply", path, "--db", applied)
    assert result.code == 1
    assert "is known with another account or region" in result.err
    with open_store(applied) as store:
        configuration = store.configuration()
        assert configuration is not None
        assert configuration[0] == 1


def sign(run: Run, url: str, **changes: str) -> Any:
    options = {
        "number": "C-1", "account": ACCOUNT, "tenant": TENANT, "from": "2026-01-01", "until": "2026-12-31",
        "zone": "America/New_York", "signed-on": "2025-12-20", **changes,
    }  # fmt: skip
    flags = [part for name, value in options.items() for part in (f"--{name}", value)]
    return run("contracts", "sign", *flags, *WHO, "--db", url)


def test_sign_a_contract(run: Run, applied: str) -> None:
    assert sign(run, applied).out == "Contract C-1 is on record.\n"
    assert sign(run, applied).out == "Contract C-1 is on record already; nothing has changed.\n"
    with open_store(applied) as store:
        context = store.load_order(connection_id="", account_id=ACCOUNT, circuit_id="", tenant_uid=TENANT)
        (contract,) = context.contracts
        assert (contract.number, contract.zone) == ("C-1", "America/New_York")
        assert [str(day) for day in (contract.signed_on, contract.valid_from, contract.valid_until)] == [
            "2025-12-20",
            "2026-01-01",
            "2026-12-31",
        ]
        assert audit(store)[-1] == ("contract", "noc", "ticket 7")


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"from": "01/02/2026"}, 2, "--from"),
        ({"until": "2025-12-31"}, 2, "--until 2025-12-31 is before --from 2026-01-01"),
        ({"zone": "Mars"}, 2, "--zone: Mars is not an IANA time zone"),
        ({"account": "12"}, 1, "no partner account 12 is configured"),
        ({"tenant": "12"}, 1, "no tenant 12 is on record"),
        ({"tenant": "12a"}, 2, "--tenant: '12a' is not an account id"),
    ],
)
def test_a_contract_that_cannot_be(run: Run, applied: str, changes: dict[str, str], code: int, message: str) -> None:
    result = sign(run, applied, **changes)
    assert result.code == code
    assert message in result.err
    assert len(result.err.splitlines()) == 1


def test_a_contract_before_there_is_a_configuration(run: Run, empty: str) -> None:
    result = sign(run, empty)
    assert (result.code, result.err) == (1, "crossport: no configuration is in force: run crossport apply first\n")


def test_a_change_names_who_and_why(run: Run, applied: str) -> None:
    result = run("tenants", "put", "--tenant", TENANT, "--language", "en", "--db", applied)
    assert result.code == 2
    assert "'--actor'" in result.err
    blank = run("tenants", "put", "--tenant", TENANT, "--actor", " ", "--reason", "x", "--db", applied)
    assert (blank.code, blank.err) == (2, "crossport: --actor says nothing\n")


def test_tenants_are_added_once_and_changed_by_put(run: Run, applied: str) -> None:
    options = ("--tenant", "1290000000000033", "--name", "Tenant Three", "--email", "a@three.example", *WHO)
    added = run("tenants", "add", *options, "--zone", "Europe/Berlin", "--db", applied, "--json")
    assert added.json == {
        "tenant_uid": "1290000000000033",
        "name": "Tenant Three",
        "site": "international",
        "language": "en",
        "email": "a@three.example",
        "zone": "Europe/Berlin",
        "changed": True,
    }
    again = run("tenants", "add", *options, "--zone", "Europe/Berlin", "--db", applied)
    assert (again.code, again.out) == (0, "Tenant 1290000000000033 is on record already; nothing has changed.\n")
    other = run("tenants", "add", *options, "--zone", "Europe/Paris", "--db", applied)
    assert other.code == 1
    assert "crossport tenants put" in other.err
    put = run("tenants", "put", "--tenant", "1290000000000033", "--language", "zh-CN", *WHO, "--db", applied, "--json")
    assert (put.json["language"], put.json["zone"], put.json["changed"]) == ("zh-CN", "Europe/Berlin", True)


def test_an_unknown_tenant_needs_a_name_and_an_address(run: Run, applied: str) -> None:
    result = run("tenants", "put", "--tenant", "12", *WHO, "--db", applied)
    assert result.code == 2
    assert "  --name: is missing" in result.err
    assert "  --email: is missing" in result.err
