"""_references.yaml: kustomize's nameReference for what an overlay renders.

Only what the backend renders stands in it, as each path costs time in every build.
"""

from collections.abc import Iterable, Iterator

from ..model.backend import NameReference

FILE = "_references.yaml"


def text(references: Iterable[NameReference]) -> str:
    """Return the content of the file."""
    lines = (line for reference in references for line in _lines(reference))
    return "\n".join(["nameReference:", *lines, ""])


def _lines(reference: NameReference) -> Iterator[str]:
    yield f"- kind: {reference.kind}"
    if reference.group:
        yield f"  group: {reference.group}"
    yield "  fieldSpecs:"
    for owner, path in reference.fields:
        yield f"  - path: {path}"
        if owner:
            yield f"    kind: {owner}"
