"""The documents keep step with the code: reason codes, files, tests, commands, and each other's links."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from crossport.cli.main import app_for
from crossport.domain.vocabulary import Phase, Verdict
from localcloud.cli import app as cloud
from localcloud.fc.template import QueueTrigger, read_template

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "shared" / "crossport"
#: Names of rules stand there, which are no reasons.
REGISTRY = CODE / "domain" / "rules.py"
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])

#: Functions that take a reason code among their arguments.
_TAKES_A_REASON = {
    "NotJsonError", "_Outcome", "_again", "_completion", "_dismiss", "_ending", "_failed", "_later", "_reason",
    "_refuse", "_refused", "_row", "_settle", "_unreadable", "_unreadable_value", "completion", "done", "dropped",
    "failed", "put_off", "wait", "wait_for",
}  # fmt: skip
#: Functions whose answer is a reason code.
_GIVES_A_REASON = re.compile(r"_moot\w*|moot|_early\w*|_objection|_code")
#: Tables that hold codes, as the values of a dict or leading its tuples: file and name.
_TABLES = {
    ("domain/adoption.py", "codes"), ("domain/violations.py", "pairs"),
    ("adapters/messages.py", "_BY_KIND"), ("adapters/messages.py", "_BY_FIELD"),
}  # fmt: skip
#: What operators type wrong; nothing that an input, an outbox row or a finding ever ends with.
_OF_COMMANDS = {
    "duplicate_id", "error", "misuse", "no_database", "orders_interrupted", "orders_invalid", "unknown_id",
}  # fmt: skip
_CODE = re.compile(r"[a-z][a-z0-9_]*")
_TICKED = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)(?:::(\w+))?")


def _texts(node: ast.AST | None) -> Iterator[str]:
    """Every constant that an expression may have as its value."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and _CODE.fullmatch(node.value):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from (*_texts(node.body), *_texts(node.orelse))
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from _texts(value)
    elif isinstance(node, ast.Call) and _name(node.func) == "get" and len(node.args) == 2:
        yield from _texts(node.args[1])


def _name(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def _of_call(call: ast.Call) -> Iterator[str]:
    for keyword in call.keywords:
        if keyword.arg in {"code", "reason"}:
            yield from _texts(keyword.value)
    called = _name(call.func)
    # Whatever else these take is a name or a sentence, never one bare word.
    for argument in call.args if called in _TAKES_A_REASON else call.args[:1] if called == "Problem" else ():
        yield from _texts(argument)


def _of_loop(loop: ast.For) -> Iterator[str]:
    """Codes that a loop walks over: ``for code, values in (("first", ...), ...)``."""
    names = [_name(part) for part in loop.target.elts] if isinstance(loop.target, ast.Tuple) else []
    rows = loop.iter.elts if isinstance(loop.iter, ast.Tuple) else []
    for row, name in itertools.product(rows, ("code", "mismatch")):
        if isinstance(row, ast.Tuple) and name in names:
            yield from _texts(row.elts[names.index(name)])


def _of_table(value: ast.expr) -> Iterator[str]:
    if isinstance(value, ast.Dict):
        for entry in value.values:
            yield from _texts(entry)
    elif isinstance(value, ast.Tuple):
        for row in value.elts:
            if isinstance(row, ast.Tuple):
                yield from _texts(row.elts[0])
    elif isinstance(value, ast.List):
        for inner in ast.walk(value):
            yield from _texts(inner)


def _of_node(node: ast.AST, file: str) -> Iterator[str]:
    if isinstance(node, ast.Call):
        yield from _of_call(node)
    elif isinstance(node, ast.For):
        yield from _of_loop(node)
    elif isinstance(node, ast.FunctionDef) and _GIVES_A_REASON.fullmatch(node.name):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Return):
                yield from _texts(inner.value)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        for target in targets:
            if isinstance(target, ast.Name) and target.id in {"code", "reason"}:
                yield from _texts(node.value)
            elif isinstance(target, ast.Name) and (file, target.id) in _TABLES and node.value is not None:
                yield from _of_table(node.value)


def _codes() -> dict[str, str]:
    """Every reason code that the code spells out, with the file it stands in."""
    found = {}
    for path in sorted(set(CODE.rglob("*.py")) - {REGISTRY}):
        file = path.relative_to(CODE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found.update(dict.fromkeys(_of_node(node, file), file))
    return {code: file for code, file in found.items() if code not in _OF_COMMANDS}


def _literals() -> set[str]:
    """Every text in the code, pieces of f-strings included."""
    return {
        node.value
        for path in CODE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _commands(application: typer.Typer) -> set[str]:
    """``connections list`` and the like: every command of an application, with that of its group before it."""
    found = {info.name or getattr(info.callback, "__name__", "") for info in application.registered_commands}
    for group in application.registered_groups:
        inner = group.typer_instance
        assert inner is not None
        found |= {f"{group.name} {name}" for name in _commands(inner)}
    return found


def _text(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def test_the_search_for_codes_finds_those_of_every_kind() -> None:
    codes = _codes()
    assert {"vlan_taken", "payload_mismatch", "too_deep", "already_paid", "store_unavailable", "second_vbr"} <= set(
        codes
    )
    assert {"over_capacity", "vbr_not_listed", "no_channel", "malformed", "vlan_malformed", "nothing_due"} <= set(codes)
    assert len(codes) > 90


def test_every_reason_code_stands_in_the_document_of_events() -> None:
    told = set(_TICKED.findall(_text(ROOT / "docs" / "events.md")))
    untold = {code: file for code, file in _codes().items() if code not in told}
    assert untold == {}


def test_every_reason_code_of_the_document_is_in_the_code() -> None:
    rows = re.findall(r"^\| `([a-z0-9_]+)` \|", _text(ROOT / "docs" / "events.md"), re.MULTILINE)
    assert len(rows) > 90
    assert sorted(set(rows) - _literals()) == []


def test_the_runbook_knows_every_phase_and_verdict() -> None:
    told = set(_TICKED.findall(_text(ROOT / "docs" / "runbook.md")))
    assert {str(phase) for phase in Phase} | {str(verdict) for verdict in Verdict} <= told


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_named_files_exist(document: Path) -> None:
    text = _text(document)
    linked = [target.partition("#")[0] for target in _LINK.findall(text) if "://" not in target]
    missing = [target for target in linked if target and not (document.parent / target).exists()]
    roots = {entry.name for entry in ROOT.iterdir()}
    for word in _TICKED.findall(text):
        path = word.partition("::")[0]
        named = re.fullmatch(r"[\w.-]+(?:/[\w.-]*)*", path) is not None
        if named and path.partition("/")[0] in roots and not path.startswith("build/") and not (ROOT / path).exists():
            missing.append(path)
    assert missing == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_named_tests_exist(document: Path) -> None:
    for file, *names in _TEST.findall(_text(document)):
        source = (ROOT / file).read_text(encoding="utf-8")
        for name in filter(None, names):
            assert re.search(rf"(?:def|class) {name}\b", source), f"{file}::{name}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_named_commands_exist(document: Path) -> None:
    text = _text(document)
    targets = set(re.findall(r"^([a-z]+):", _text(ROOT / "Makefile"), re.MULTILINE))
    for target in re.findall(r"`make ([a-z]+)", text):
        assert target in targets, target
    for program, application in (("crossport", app_for([])), ("localcloud", cloud)):
        known = _commands(application)
        groups = {name.partition(" ")[0] for name in known}
        for words in re.findall(rf"(?:`|^|\$ )(?:\.venv/bin/)?{program} ([a-z|]+(?: [a-z]+)?)", text, re.MULTILINE):
            first, _, second = words.partition(" ")
            for one in first.split("|"):
                assert one in groups, f"{program} {one}"
                assert one in known or not second or f"{one} {second}" in known, f"{program} {words}"


def test_the_document_of_the_deployment_names_every_function_and_queue() -> None:
    told = set(_TICKED.findall(_text(ROOT / "docs" / "deploy.md")))
    environment = {"CROSSPORT_DB": "postgresql://database", "CROSSPORT_SMTP_URL": "smtp://mail"}
    functions = read_template(ROOT / "s.yaml", environment, "1180000000000001").values()
    queues = {trigger.queue for f in functions for trigger in f.triggers if isinstance(trigger, QueueTrigger)}
    assert {function.name for function in functions} | queues <= told


def test_decisions_are_numbered_without_gaps_and_have_their_parts() -> None:
    decisions = sorted((ROOT / "docs" / "adr").glob("*.md"))
    assert [path.name[:5] for path in decisions] == [f"{number:04}-" for number in range(1, len(decisions) + 1)]
    for path in decisions:
        heads = re.findall(r"^## (\w+)", _text(path), re.MULTILINE)
        assert heads == ["Status", "Context", "Decision", "Consequences"], path.name
