""".sops.yaml: the recipients that its creation rules give to a file."""

import os
from collections.abc import Iterator
from typing import Any

from ... import yamlio
from ...errors import InputError, Mistake, Place
from ...files.project import Project, decode

FILE = ".sops.yaml"
_OTHER_KINDS = ("kms", "gcp_kms", "azure_keyvault", "azure_kv", "hc_vault", "hc_vault_transit_uri", "hckms", "pgp")


def recipients(project: Project, path: str) -> tuple[tuple[str, ...], Place | None]:
    """Return the age recipients of the first creation rule that fits a file, and where the rules stand.

    The rules are searched upward from the file, as sops does, and no further than the project. Nothing is found
    without rules. Raises InputError for rules that name other keys than age's.
    """
    folder = os.path.dirname(path)
    while True:
        content = project.read_if_there(os.path.join(folder, FILE))
        if content is not None:
            shown = project.name(os.path.join(folder, FILE))
            return _of_rules(decode(content, shown), shown, os.path.relpath(path, folder))
        if os.path.realpath(folder) == project.root or folder == os.path.dirname(folder):
            return (), None
        folder = os.path.dirname(folder)


def _of_rules(text: str, shown: str, path: str) -> tuple[tuple[str, ...], Place | None]:
    """Return the recipients of the first rule that fits; anchors and merge keys are read as sops reads them."""
    foreign = yamlio.read_foreign(text, shown)
    if foreign.mistakes:
        raise InputError(*foreign.mistakes)
    document = foreign.documents[0].value if foreign.documents else None
    rules = document.get("creation_rules") if isinstance(document, dict) else None
    place = _place_of_rules(foreign, shown)
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, dict) and _fits(rule.get("path_regex"), path, place):
            return _recipients(rule, place), place
    return (), place


def _place_of_rules(foreign: yamlio.ForeignFile, shown: str) -> Place:
    node = foreign.documents[0].node if foreign.documents else None
    for key, value in node.value if isinstance(node, yamlio.MappingNode) else ():
        if key.value == "creation_rules":
            return Place(shown, value.start_mark.line + 1, value.start_mark.column + 1)
    return Place(shown)


def _fits(pattern: object, path: str, place: Place) -> bool:
    if not pattern:
        return True
    import re2  # Go's own syntax; only sealing gets here

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(str(pattern), options).search(path) is not None
    except re2.error:
        raise InputError(Mistake("path_regex is not a regular expression of Go", place)) from None


def _recipients(rule: dict[str, Any], place: Place) -> tuple[str, ...]:
    """Return the age recipients of a rule; with key groups, sops looks at nothing else of it."""
    groups = rule.get("key_groups")
    if isinstance(groups, list) and len(groups) > 1:
        hint = "this tool writes one group; sops encrypt writes several"
        raise InputError(Mistake("the creation rule has several key groups, which are not supported", place, hint))
    group = groups[0] if isinstance(groups, list) and groups else rule
    return tuple(dict.fromkeys(_of_group(group, place)))


def _of_group(group: object, place: Place) -> Iterator[str]:
    """Find the recipients of a group: those of the groups that it merges, then its own (config.go of sops 3.13)."""
    if not isinstance(group, dict):
        return
    for kind in _OTHER_KINDS:
        if group.get(kind):
            hint = f"this tool encrypts for age alone; sops encrypt does for {kind} too"
            raise InputError(Mistake(f"the creation rule names keys of {kind}, which are not supported", place, hint))
    merged = group.get("merge")
    for other in merged if isinstance(merged, list) else ():
        yield from _of_group(other, place)
    stated = group.get("age")
    texts = [stated] if isinstance(stated, str) else stated if isinstance(stated, list) else []
    for text in texts:
        yield from (recipient.strip() for recipient in str(text).split(",") if recipient.strip())
