""".sops.yaml: the recipients that its creation rules give to a file."""

import os
from typing import Any

from ... import yamlio
from ...errors import InputError, Mistake, Place
from ...files.project import Project, decode

FILE = ".sops.yaml"
_OTHER_KEYS = ("kms", "gcp_kms", "azure_keyvault", "azure_kv", "hc_vault", "hc_vault_transit_uri", "hckms", "pgp")


def recipients(project: Project, path: str) -> tuple[tuple[str, ...], Place | None]:
    """The age recipients of the first creation rule that fits a file, and where the rules stand.

    The rules are searched upward from the file, as sops does, and no further than the project. Nothing is found
    without rules; raises InputError for rules that name other keys than age's.
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
    documents = yamlio.load(text, shown)
    rules = documents[0].get("creation_rules") if documents and isinstance(documents[0], dict) else None
    place = yamlio.place_of(text, shown, "creation_rules")
    for rule in rules if isinstance(rules, list) else ():
        if isinstance(rule, dict) and _fits(rule.get("path_regex"), path, place):
            return _age(rule, place), place
    return (), place


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


def _age(rule: dict[str, Any], place: Place) -> tuple[str, ...]:
    groups = rule.get("key_groups")
    if isinstance(groups, list) and len(groups) == 1 and isinstance(groups[0], dict):
        rule = {**rule, **groups[0]}
    elif groups:
        raise InputError(Mistake("several key groups are not supported", place, "give one list of age recipients"))
    if any(rule.get(name) for name in _OTHER_KEYS):
        raise InputError(Mistake("the creation rule names other keys than age's", place, "only age is supported"))
    said = rule.get("age")
    listed = said.split(",") if isinstance(said, str) else said if isinstance(said, list) else []
    return tuple(str(each).strip() for each in listed if str(each).strip())
