"""The inventory: every Secret and key, and what it is in each environment."""

from collections.abc import Iterable, Sequence

from ..frozen import Record
from ..model.resolution import Derived, Environment, Remote


class Cell(Record):
    """A key in one environment: its name in the source, or how it is made, or why it is left out.

    `version` is the one to which it is pinned. `usual` says that the name follows the overlay's pattern and nothing is
    overridden.
    """

    environment: str
    name: str = ""
    property: str | None = None
    version: str | None = None
    template: str | None = None
    omitted: str | None = None
    declared: bool = True
    usual: bool = True


class InventoryRow(Record):
    """A key, side by side in the environments."""

    secret: str
    key: str
    purpose: str
    cells: Sequence[Cell]

    @property
    def differs(self) -> bool:
        """Whether the environments are not the same but for the pattern."""
        return any(not (cell.usual and cell.declared) or cell.omitted is not None for cell in self.cells)


class Column(Record):
    """An environment: its namespace, backend and source."""

    name: str
    namespace: str
    backend: str
    source: str


class Inventory(Record):
    """What people else keep by hand in a table."""

    columns: Sequence[Column]
    rows: Sequence[InventoryRow]


def inventory(environments: Sequence[Environment], differences: bool) -> Inventory:
    """Return all keys of these environments; with `differences` those that are not the same by pattern."""
    columns = [
        Column(
            name=environment.name,
            namespace=environment.namespace,
            backend=environment.backend.field,
            source=environment.source.kind.field if environment.source else "",
        )
        for environment in environments
    ]
    rows = [_row(environments, secret, key) for secret, key in _addresses(environments)]
    return Inventory(columns=columns, rows=[row for row in rows if row.differs or not differences])


def _addresses(environments: Iterable[Environment]) -> list[tuple[str, str]]:
    addresses: set[tuple[str, str]] = set()
    for environment in environments:
        for name, declaration in environment.declarations.items():
            addresses.update((name, key) for key in declaration.spec.keys)
    return sorted(addresses)


def _row(environments: Sequence[Environment], secret: str, key: str) -> InventoryRow:
    declarations = [
        environment.declarations[secret] for environment in environments if secret in environment.declarations
    ]
    entries = [declaration.spec.keys.get(key) for declaration in declarations]
    purposes = [entry.purpose for entry in entries if entry and entry.purpose]
    return InventoryRow(
        secret=secret,
        key=key,
        purpose=purposes[0] if purposes else "",
        cells=[_cell(environment, secret, key) for environment in environments],
    )


def _cell(environment: Environment, secret: str, key: str) -> Cell:
    name = environment.name
    declaration = environment.declarations.get(secret)
    if declaration is None or key not in declaration.spec.keys:
        return Cell(environment=name, declared=False)
    override, key_override = environment.overlay.spec.overrides.get(secret), environment.override_of(secret, key)
    if omitted := (override and override.omit) or (key_override and key_override.omit):
        return Cell(environment=name, omitted=omitted)
    value = environment.secrets[secret].keys[key]
    if isinstance(value, Derived):
        return Cell(environment=name, template=value.key.template)
    assert isinstance(value, Remote)
    return Cell(
        environment=name,
        name=value.name,
        property=value.property,
        version=value.version,
        usual=not (value.overridden or value.version),
    )
