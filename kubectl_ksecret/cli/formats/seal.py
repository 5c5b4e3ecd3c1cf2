"""What `seal` did, for a person."""

from collections.abc import Collection, Iterable

from ...actions.seal_overlay import Sealed
from ...errors import shown


def text(done: Sealed, dry_run: bool) -> str:
    """Return a line for each address or file, below what became of it."""
    would = "would " if dry_run else ""
    blocks = [
        _block(f"{done.environment}: {would}seal" if dry_run else f"{done.environment}: sealed", done.sealed),
        _block(f"{done.environment}: not sealed, nothing gives a value for", done.missing),
        _block(f"{done.environment}: kept as sealed, though the source no longer gives a value for", done.gone),
        _block(f"{done.environment}: left out, not declared here", map(_shown, done.left_out)),
        _block(f"{done.environment}: {would}write" if dry_run else f"{done.environment}: wrote", done.changed),
    ]
    if done.staying:
        blocks.append(
            f"{done.environment}: kept {_keys(len(done.staying))} as sealed: the values have no versions, so nobody "
            "can tell whether they changed; address them, or use --reseal\n"
        )
    if not any((done.sealed, done.changed, done.staying, done.gone, done.missing)):
        blocks.append(f"{done.environment}: everything is sealed\n")
    return "".join(blocks)


def next_step(overlay: str) -> str:
    """Return what follows once values went over to another certificate."""
    return f"hint: kubectl ksecret sync {overlay} brings them to the cluster that has its key"


def made(environment: str, names: Collection[str], dry_run: bool) -> str:
    """Return the first values that the source has, or would have, now."""
    return _block(f"{environment}: {'would make' if dry_run else 'made'} in the source", names)


def _shown(address: str) -> str:
    """Return an address out of a given Secret, whose names nobody has checked."""
    return "/".join(map(shown, address.split("/", 1)))


def _block(title: str, lines: Iterable[str]) -> str:
    below = "".join(f"  {line}\n" for line in lines)
    return f"{title}\n{below}" if below else ""


def _keys(count: int) -> str:
    return "1 key" if count == 1 else f"{count} keys"
