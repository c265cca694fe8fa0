"""``crossport rules``: the rules of shared ports, where each comes from and where it is enforced."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from crossport.cli.failures import UnknownIdError
from crossport.cli.options import AsJson
from crossport.cli.rendering import Column, show_fields, show_json, show_table
from crossport.domain.rules import RULES, Rule, check_names, rule

rules_app = typer.Typer(help="The rules of shared ports, their sources, and where each is enforced.")

_COLUMNS = (
    Column("No.", lambda row: [row["number"]], justify="right"),
    Column("Rule", lambda row: [row["title"]]),
    Column("Basis", lambda row: [row["basis"]]),
    Column("Enforced at", lambda row: [", ".join(row["enforced_at"]) or "not yet"]),
    Column("In full", lambda row: ["partly" if row["missing"] else "yes"]),
)


@rules_app.callback(invoke_without_command=True)
def list_rules(context: typer.Context, as_json: AsJson = False) -> None:
    """List the twenty rules; ``rules show N`` tells more of one."""
    if context.invoked_subcommand is not None:
        return
    rows = [_row(each) for each in RULES]
    if as_json:
        show_json(rows)
    else:
        show_table("Rules", rows, _COLUMNS, empty="No rules.")


@rules_app.command("show")
def show_rule(
    number: Annotated[int, typer.Argument(metavar="N", help="The rule's number, 1 to 20.")], as_json: AsJson = False
) -> None:
    """Show one rule: what it says, its source, its switch and its codes."""
    found = rule(number)
    if found is None:
        raise UnknownIdError(f"no rule {number}: they are 1 to {len(RULES)}")
    row = _row(found)
    if as_json:
        show_json(row)
        return
    fields = [
        ("code", row["code"]),
        ("says", row["sentence"]),
        ("source", row["source"]),
        ("basis", row["basis"]),
        ("enforced at", ", ".join(row["enforced_at"]) or "not yet"),
        ("by", row["checks"]),
        ("policy switch", row["switch"]),
        ("codes", row["codes"]),
        ("not enforced yet", row["missing"]),
    ]
    show_fields(f"Rule {number}: {found.title}", fields)


def _row(of: Rule) -> dict[str, Any]:
    return {
        "number": of.number,
        "code": of.code,
        "title": of.title,
        "sentence": of.sentence,
        "source": of.source,
        "basis": str(of.basis),
        "enforced_at": [str(where) for where in of.enforced_at],
        "checks": list(check_names(of)),
        "codes": list(of.codes),
        "switch": of.switch,
        "missing": of.missing,
    }
