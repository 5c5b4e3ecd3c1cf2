"""The inventory as a table, as Markdown, or as an object."""

import json
import re
from collections.abc import Sequence

from ... import yamlio
from ...actions.inventory import Cell, Inventory
from ...errors import printable
from ...model.loading import API_VERSION


def text(inventory: Inventory, output: str, width: int | None = None) -> str:
    """Return the inventory in an output format; a table fits into `width`, a wide one need not."""
    if output == "json":
        return json.dumps(_object(inventory), indent=2, ensure_ascii=False) + "\n"
    if output == "yaml":
        return yamlio.dump([_object(inventory)])
    head = ["SECRET", "KEY", "PURPOSE", *(_title(inventory, index) for index in range(len(inventory.columns)))]
    rows = [[row.secret, row.key, _line(row.purpose), *map(_cell, row.cells)] for row in inventory.rows]
    if output == "markdown":
        return _markdown(head, rows)
    return table([head, *rows], None if output == "wide" else width)


_GAP = "   "
_NARROWEST = 8  # columns that are narrower tell nothing


def _title(inventory: Inventory, index: int) -> str:
    column = inventory.columns[index]
    return f"{column.name} ({' ← '.join(filter(None, (column.backend, column.source)))})"


def _cell(cell: Cell) -> str:
    if not cell.declared:
        return "not declared"
    if cell.omitted is not None:
        return f"omitted: {_line(cell.omitted)}"
    if cell.template is not None:
        return "template"
    read = f"{cell.name}#{cell.property}" if cell.property else cell.name
    return f"{read} (version {cell.version})" if cell.version else read


def _line(text: str) -> str:
    """Return a text of several lines as one; a stranger's purpose can't move the cursor."""
    return printable(" ".join(text.split()))


def table(rows: Sequence[Sequence[str]], width: int | None = None) -> str:
    """Return columns as wide as what stands in them, or the widest cut so that all fit into a terminal's width.

    A stranger's name can't move the cursor.
    """
    rows = [[printable(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    while width is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > width and max(widths) > _NARROWEST:
        widths[widths.index(max(widths))] -= 1
    lines = (_GAP.join(_fitted(cell, column) for cell, column in zip(row, widths, strict=True)) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _fitted(cell: str, width: int) -> str:
    return cell.ljust(width) if len(cell) <= width else f"{cell[: width - 1]}…"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    escaped = [[_escaped(printable(cell)) for cell in row] for row in (head, *rows)]
    lines = [escaped[0], ["---"] * len(head), *escaped[1:]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is; an underscore within a word is none of its marks."""
    return re.sub(r"[\\`*<>\[\]|~&#]|(?<!\w)_|_(?!\w)", r"\\\g<0>", text)


def _object(inventory: Inventory) -> dict[str, object]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Inventory",
        "environments": [
            {"name": c.name, "namespace": c.namespace, "backend": c.backend, "source": c.source or None}
            for c in inventory.columns
        ],
        "items": [
            {
                "secret": row.secret,
                "key": row.key,
                "purpose": row.purpose,
                "environments": {cell.environment: _said(cell) for cell in row.cells},
            }
            for row in inventory.rows
        ],
    }


def _said(cell: Cell) -> dict[str, str | None]:
    fields = {
        "name": cell.name or None,
        "property": cell.property,
        "version": cell.version,
        "template": cell.template,
        "omitted": cell.omitted,
    }
    return {name: value for name, value in fields.items() if value is not None}
