"""Commands that change something: each is audited with who did it and why (ruling 22)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from crossport.cli.database import database_url, now, open_store, person
from crossport.cli.failures import MisuseError, UnknownIdError, complain
from crossport.cli.options import Actor, AsJson, Database, Reason
from crossport.cli.rendering import show_json, show_line

if TYPE_CHECKING:
    from pydantic import BaseModel

    from crossport.adapters.configuration import Configuration
    from crossport.adapters.store.sql_store import SqlStore

_Settings = TypeVar("_Settings", bound="BaseModel")

contracts_app = typer.Typer(help="Contracts between a partner account and a tenant.")
tenants_app = typer.Typer(help="Tenants as declared.")


def migrate(db: Database = "", as_json: AsJson = False) -> None:
    """Create the database, or bring its tables up to this release. Nothing happens when they are."""
    from crossport.adapters.migrations import migrate as adapter_migrate

    applied = adapter_migrate(database_url(db))
    if as_json:
        show_json({"applied": applied})
    elif applied:
        show_line(f"The database is up to date: applied {', '.join(applied)}.")
    else:
        show_line("The database is up to date already.")


def apply(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="PARTNER.yaml", envvar="CROSSPORT_CONFIG", help="The configuration.", show_envvar=True),
    ] = None,
    db: Database = "",
    actor: Actor = "",
    reason: Reason = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change and change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Check a partner.yaml and put it in force."""
    from crossport.adapters.configuration import ConfigurationError, load_configuration
    from crossport.cli.differences import differences, price_problems

    if file is None:
        raise MisuseError("no configuration: name a partner.yaml or set CROSSPORT_CONFIG")
    try:
        configuration = load_configuration(file)
    except ConfigurationError as error:
        error.fields["file"] = file
        raise
    with open_store(db) as store:
        broken = price_problems(configuration, store, now())
        if broken:
            raise ConfigurationError(broken, file=file)
        changes = differences(configuration, store)
        if dry_run:
            applied = store.configuration()
            version = applied[0] if applied else 0
        else:
            version = _put(configuration, store, actor or person(), reason or f"crossport apply {file.name}")
    warnings = configuration.warnings()
    if as_json:
        listed = [{"place": c.place, "before": c.before, "after": c.after} for c in changes]
        show_json({"version": version, "dry_run": dry_run, "differences": listed, "warnings": list(warnings)})
        return
    for warning in warnings:
        complain(f"warning: {warning}")
    for change in changes:
        show_line(change.line)
    if dry_run:
        show_line(f"{len(changes) or 'No'} {'change' if len(changes) == 1 else 'changes'}; nothing was written.")
    else:
        show_line(f"Version {version} of the configuration is in force{'' if changes else '; nothing has changed'}.")


def _put(configuration: Configuration, store: SqlStore, actor: str, reason: str) -> int:
    # The document comes last: were one of the rows refused, it would not be in force without them.
    audited = _audited(actor, reason)
    for account in configuration.accounts:
        for circuit in account.circuits:
            store.put_circuit(circuit.circuit(account.account_id), **audited)
    for tenant in configuration.tenants:
        store.put_tenant(tenant.tenant(), **audited)
    for contract in configuration.contracts:
        store.put_contract(contract.contract(), **audited)
    return store.put_configuration(configuration.document(), **audited)


@contracts_app.command("sign")
def sign_contract(
    number: Annotated[str, typer.Option(help="The contract's number.")],
    account: Annotated[str, typer.Option(metavar="ID", help="The partner account.")],
    tenant: Annotated[str, typer.Option(metavar="UID", help="The tenant.")],
    valid_from: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="First day on which it is valid.")],
    signed_on: Annotated[str, typer.Option("--signed-on", metavar="YYYY-MM-DD", help="The day of the signatures.")],
    actor: Actor,
    reason: Reason,
    valid_until: Annotated[
        str | None, typer.Option("--until", metavar="YYYY-MM-DD", help="Last day on which it is valid; none: open.")
    ] = None,
    zone: Annotated[str, typer.Option(help="IANA time zone of all its dates.")] = "UTC",
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """Enter a signed contract, or correct the one with this number."""
    from crossport.adapters.configuration import ContractSettings

    audited = _audited(actor, reason)
    settings = _read_options(
        ContractSettings,
        {
            "number": number,
            "account_id": account,
            "tenant_uid": tenant,
            "signed_on": signed_on,
            "valid_from": valid_from,
            "valid_until": valid_until,
            "zone": zone,
        },
    )
    if settings.valid_until is not None and settings.valid_until < settings.valid_from:
        raise MisuseError(f"--until {valid_until} is before --from {valid_from}")
    with open_store(db) as store:
        _require_account(store, account)
        if store.tenant(tenant) is None:
            raise UnknownIdError(f"no tenant {tenant} is on record: run crossport tenants add first")
        changed = store.put_contract(settings.contract(), **audited)
    _say(f"Contract {number}", settings.model_dump(), changed=changed, as_json=as_json)


def _require_account(store: SqlStore, account_id: str) -> None:
    from crossport.adapters.configuration import ConfiguredPolicies
    from crossport.application.errors import NotConfiguredError

    applied = store.configuration()
    if applied is None:
        raise NotConfiguredError("no configuration is in force: run crossport apply first")
    if account_id not in ConfiguredPolicies(applied[1]).accounts():
        raise UnknownIdError(f"no partner account {account_id} is configured")


_Uid = Annotated[str, typer.Option("--tenant", metavar="UID", help="Its main account id, digits.")]


@tenants_app.command("add")
def add_tenant(
    tenant: _Uid,
    name: Annotated[str, typer.Option(help="Its name.")],
    email: Annotated[str, typer.Option(help="Where its notices go.")],
    actor: Actor,
    reason: Reason,
    site: Annotated[str, typer.Option(help="international or china.")] = "international",
    language: Annotated[str, typer.Option(help="en or zh-CN.")] = "en",
    zone: Annotated[str, typer.Option(help="IANA time zone in which dates are shown to it.")] = "UTC",
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """Declare a new tenant."""
    values = {"name": name, "site": site, "language": language, "email": email, "zone": zone}
    _put_tenant(db, tenant, values, actor=actor, reason=reason, as_json=as_json, new=True)


@tenants_app.command("put")
def put_tenant(
    tenant: _Uid,
    actor: Actor,
    reason: Reason,
    name: Annotated[str | None, typer.Option(help="Its name.")] = None,
    email: Annotated[str | None, typer.Option(help="Where its notices go.")] = None,
    site: Annotated[str | None, typer.Option(help="international or china.")] = None,
    language: Annotated[str | None, typer.Option(help="en or zh-CN.")] = None,
    zone: Annotated[str | None, typer.Option(help="IANA time zone in which dates are shown to it.")] = None,
    db: Database = "",
    as_json: AsJson = False,
) -> None:
    """Change a tenant; what is not named stays. An unknown one is declared."""
    values = {"name": name, "site": site, "language": language, "email": email, "zone": zone}
    given = {key: value for key, value in values.items() if value is not None}
    _put_tenant(db, tenant, given, actor=actor, reason=reason, as_json=as_json, new=False)


def _put_tenant(
    db: str, tenant_uid: str, given: dict[str, str], *, actor: str, reason: str, as_json: bool, new: bool
) -> None:
    from dataclasses import asdict

    from crossport.adapters.configuration import TenantSettings

    audited = _audited(actor, reason)
    with open_store(db) as store:
        known = store.tenant(tenant_uid)
        before = asdict(known) if known else {"tenant_uid": tenant_uid}
        settings = _read_options(TenantSettings, {**before, **given})
        if new and known not in (None, settings.tenant()):
            raise UnknownIdError(f"tenant {tenant_uid} is on record already: change it with crossport tenants put")
        changed = store.put_tenant(settings.tenant(), **audited)
    _say(f"Tenant {tenant_uid}", settings.model_dump(), changed=changed, as_json=as_json)


#: The options whose name is not their field's with hyphens.
_OPTIONS = {"account_id": "account", "tenant_uid": "tenant", "valid_from": "from", "valid_until": "until"}


def _read_options(model: type[_Settings], values: dict[str, Any]) -> _Settings:
    """Check what options say. Raises ConfigurationError that names the options."""
    from crossport.adapters.configuration import ConfigurationError, read_part

    try:
        return read_part(model, values)
    except ConfigurationError as error:
        places = (problem.partition(": ") for problem in error.problems)
        raise ConfigurationError(
            f"--{_OPTIONS.get(field, field.replace('_', '-'))}: {problem}" for field, _, problem in places
        ) from None


def _audited(actor: str, reason: str) -> dict[str, Any]:
    """Who, why and when, as the store's administrative changes take them."""
    for option, text in (("--actor", actor), ("--reason", reason)):
        if not text.strip():
            raise MisuseError(f"{option} says nothing")
    return {"actor": actor, "reason": reason, "at": now()}


def _say(what: str, values: dict[str, Any], *, changed: bool, as_json: bool) -> None:
    if as_json:
        show_json({**values, "changed": changed})
    else:
        show_line(f"{what} is on record." if changed else f"{what} is on record already; nothing has changed.")
