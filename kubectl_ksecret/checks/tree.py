"""The files around the overlays: can they be read at all?"""

from collections.abc import Iterator

from . import Finding, rule
from .scope import Repository


@rule("unreadable-file", "error")
def unreadable(repository: Repository) -> Iterator[Finding]:
    """A file in an overlay's tree is not valid YAML, or can't be read, such as a symlink out of the project.

    What it holds is not checked, and a deployer may refuse it. Correct the file, or move it out of the tree.
    """
    for message, place, hint, _ in repository.unreadable:
        yield Finding(
            message=message,
            place=place,
            hint=hint,
        )


RULES = (unreadable,)
