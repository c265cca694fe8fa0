"""A mail's body as blocks, from which the plain text and the HTML are laid out: both say the same by construction.

The text templates are written in a small line format: ``# heading``, ``| label: value`` (a row of the table of facts),
``1. step``, ``- point``, and anything else is a paragraph. Values never hold line breaks, so none can start a block.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

_STEP = re.compile(r"\d+\. +(.*)")
#: What stands between label and value of a fact; full-width in Chinese.
_SEPARATORS = {"en": ": ", "zh-CN": "："}
#: Blocks of these kinds may stretch over several lines, blank ones between them included.
_LISTS = frozenset({"facts", "steps", "points"})


@dataclass(frozen=True, slots=True)
class Block:
    """One block: ``heading`` and ``paragraph`` have one item, ``steps`` and ``points`` several, ``facts`` has rows."""

    kind: str
    items: tuple[str, ...] = ()
    rows: tuple[tuple[str, str], ...] = field(default=())


def blocks_of(body: str, language: str) -> tuple[Block, ...]:
    """The blocks of a rendered text template."""
    lines = [_classified(line) for line in map(str.strip, body.splitlines()) if line]
    return tuple(block for kind, texts in _grouped(lines) for block in _blocks(kind, texts, language))


def plain_text(blocks: tuple[Block, ...], language: str) -> str:
    """The blocks as plain text, one blank line between two of them."""
    separator = _SEPARATORS[language]
    parts = []
    for block in blocks:
        if block.kind == "facts":
            parts.append("\n".join(f"{label}{separator}{value}".rstrip() for label, value in block.rows))
        elif block.kind == "steps":
            parts.append("\n".join(f"{number}. {item}" for number, item in enumerate(block.items, start=1)))
        elif block.kind == "points":
            parts.append("\n".join(f"- {item}" for item in block.items))
        elif block.kind == "heading":
            parts.append(f"{block.items[0]}\n{'-' * _width(block.items[0])}")
        else:
            parts.append(block.items[0])
    return "\n\n".join(parts) + "\n"


def _width(text: str) -> int:
    """Columns that a text takes: two for each wide (Chinese) character."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _classified(line: str) -> tuple[str, str]:
    if line.startswith("# "):
        return "heading", line[2:]
    if line.startswith("| "):
        return "facts", line[2:]
    if line.startswith("- "):
        return "points", line[2:]
    step = _STEP.fullmatch(line)
    return ("steps", step[1]) if step else ("paragraph", line)


def _grouped(lines: list[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    for kind, group in groupby(lines, key=lambda line: line[0]):
        yield kind, [text for _, text in group]


def _blocks(kind: str, texts: list[str], language: str) -> Iterator[Block]:
    if kind == "facts":
        pairs = (text.partition(_SEPARATORS[language].strip()) for text in texts)
        yield Block(kind, rows=tuple((label.strip(), value.strip()) for label, _, value in pairs))
    elif kind in _LISTS:
        yield Block(kind, items=tuple(texts))
    else:
        yield from (Block(kind, items=(text,)) for text in texts)
