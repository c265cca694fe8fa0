"""JSON Schemas of the messages that others write to our queues or read from them, for ``docs/schemas``.

``python -m crossport.entrypoints.schemas docs/schemas`` writes them anew after a change of the models.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, get_args

from crossport.adapters.messages import Message, OrderReply

#: The dialect that pydantic writes.
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schemas() -> dict[str, dict[str, Any]]:
    """Every message type with the JSON Schema (draft 2020-12) of its model."""
    found = {}
    for model in (*get_args(Message), OrderReply):
        schema = model.model_json_schema(mode="validation")
        found[str(schema["properties"]["type"]["const"])] = {"$schema": _DIALECT, **schema}
    return found


def export(folder: Path) -> tuple[Path, ...]:
    """Write ``<type>.json`` for every message into the folder, which is made if need be; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for name, schema in sorted(schemas().items()):
        file = folder / f"{name}.json"
        file.write_text(text_of(schema), encoding="utf-8")
        files.append(file)
    return tuple(files)


def text_of(schema: dict[str, Any]) -> str:
    """A schema as its file says it."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    export(Path(sys.argv[1]))
