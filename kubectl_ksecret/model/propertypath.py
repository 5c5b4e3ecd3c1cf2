"""The path of a property, as gjson has it, with which External Secrets Operator reads members of JSON values.

It is names and indexes with dots between, `#` for the length of a list, and `#.name` for that member of each of its
elements; a backslash takes the next character as it is. gjson has wildcards, queries, modifiers, pipes and selectors
beside these.
"""

import re
from typing import NamedTuple

# The modifiers of gjson 1.18; a name such as @type that is none of them is a name like any other.
_MODIFIERS = "pretty|ugly|reverse|this|flatten|join|valid|keys|values|tostr|fromstr|group|dig"
_UNREAD = re.compile(rf"[\[{{]|@({_MODIFIERS})(?=[:.|]|$)|#[(\[]")  # at the beginning of a step
_STEP = re.compile(r"((?:\\.|[^\\.])*\\?)(\.|$)", re.DOTALL)


class PathStep(NamedTuple):
    """One step of a path: as it is written, which an index is read from, and the name that it stands for."""

    written: str
    name: str


def steps(property_: str) -> list[PathStep]:
    """Return the steps of a path; there is always one."""
    path = []
    for match in _STEP.finditer(property_):
        path.append(PathStep(match[1], re.sub(r"\\(.?)", r"\1", match[1])))
        if not match[2]:
            break
    return path


def unread(property_: str) -> str:
    """Return what of gjson's syntax a property has that this tool does not read; nothing where it reads all of it."""
    if property_.startswith("..") or re.match("!.", property_):
        return property_[:2]
    for step in steps(property_):
        plain = re.sub(r"\\.", "", step.written)
        if wrong := _UNREAD.match(step.written) or re.search(r"[*?|]", plain):
            return wrong[0]
    return ""
