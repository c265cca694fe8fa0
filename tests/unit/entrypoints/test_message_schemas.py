"""The schemas in docs are those of the models."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossport.entrypoints.schemas import export, schemas, text_of

DOCS = Path(__file__).parents[3] / "docs" / "schemas"


def test_there_is_one_file_for_every_message() -> None:
    assert {file.stem for file in DOCS.glob("*.json")} == set(schemas())
    assert {"order.new", "order.change_spec", "order.cease", "order.reply", "usage.reported"} <= set(schemas())


@pytest.mark.parametrize("name", sorted(schemas()))
def test_files_equal_the_models(name: str) -> None:
    assert (DOCS / f"{name}.json").read_text(encoding="utf-8") == text_of(schemas()[name]), (
        "run: python -m crossport.entrypoints.schemas docs/schemas"
    )


def test_unknown_fields_are_refused_and_a_target_is_required() -> None:
    schema = schemas()["order.cease"]
    assert schema["additionalProperties"] is False
    assert schema["oneOf"] == [{"required": ["order"]}, {"required": ["connection_id"]}]


def test_export_writes_what_the_models_say(tmp_path: Path) -> None:
    files = export(tmp_path / "schemas")
    assert [file.stem for file in files] == sorted(schemas())
    assert all(file.read_text(encoding="utf-8").endswith("}\n") for file in files)
