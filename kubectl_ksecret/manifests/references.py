"""_references.yaml: kustomize's nameReference for what an overlay renders.

Only what the backend renders stands in it, as each path costs time in every build.
"""

from collections.abc import Iterable, Iterator, Sequence

from ..model.backend import NameReference
from ..model.types.overlay import SecretReference

FILE = "_references.yaml"


def text(references: Iterable[NameReference], kind: str, stated: Iterable[SecretReference]) -> str:
    """Return the content of the file.

    Objects of `kind` stand for a Secret, so a rename of theirs is followed into the places that an overlay has `stated`
    in spec.references, too.
    """
    further = tuple((reference.kind, reference.path) for reference in stated)
    lines = (line for reference in references for line in _lines(reference, further if reference.kind == kind else ()))
    return "\n".join(["nameReference:", *lines, ""])


def _lines(reference: NameReference, further: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield f"- kind: {reference.kind}"
    if reference.group:
        yield f"  group: {reference.group}"
    yield "  fieldSpecs:"
    for owner, path in dict.fromkeys((*reference.fields, *further)):
        yield f"  - path: {path}"
        if owner:
            yield f"    kind: {owner}"
