"""What `migrate` prints: what was copied, what was sealed and written, and what is left to do."""

from collections.abc import Iterator

from ...actions.migrate import Migration


def text(migration: Migration, *, dry_run: bool) -> str:
    """Return the lines of a migration that was done, or of one that would be."""
    return "".join(f"{line}\n" for line in _lines(migration, "would be " if dry_run else ""))


def absent(migration: Migration) -> Iterator[str]:
    """Yield a line for each key whose value is missing."""
    for address in migration.absent:
        yield f"error: {address} has no value that could be copied"
    if migration.sealed:
        yield from map(str, migration.sealed.absent)


def _lines(migration: Migration, would_be: str) -> Iterator[str]:
    copied = migration.copied
    for name in copied.written:
        yield f"{name} {would_be}copied"
    if copied.written or copied.kept:
        read_back = "" if would_be else ", each read back"
        yield f"{len(copied.written)} {would_be}copied{read_back}; {len(copied.kept)} were there already"
    if migration.sealed:
        yield f"{len(migration.sealed.sealed)} keys sealed"
    for file in migration.files:
        yield f"{file} {would_be}written"
    for number, instruction in enumerate(migration.instructions, start=1):
        yield f"{number}. {instruction.reason}:"
        yield f"   {instruction.command}"
