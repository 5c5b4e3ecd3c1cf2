"""YAML out, in one form."""

from collections.abc import Iterable
from typing import Any

import yaml
from yaml import Node, ScalarNode

from .nodes import STRING, Resolver


class Below(str):
    """Text of one line that stands below its key (`>-`), so that git merges the changes of neighbouring keys."""


class _Dumper(Resolver, yaml.CSafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: Any, text: str) -> Node:
    style = "|" if "\n" in text else '"' if _reads_otherwise(text) else None
    return ScalarNode(STRING, text, style=style)


def _reads_otherwise(text: str) -> bool:
    """Whether Go's YAML readers take a text for a number or boolean that PyYAML does not: 1e3, 0o17, 0XFF, y."""
    numeric = text[:1] in "+-.0123456789" and not text.strip("+-.0123456789_abcdefABCDEFxXoO")
    return numeric or text in {"y", "Y", "n", "N"}


def _below(dumper: Any, text: str) -> Node:
    return ScalarNode(STRING, str(text), style=">" if text else '"')


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Below, _below)


def dump(objects: Iterable[Any]) -> str:
    """Return block YAML, sorted keys, `---` between the documents; text of several lines as a block scalar."""
    documents = (yaml.dump(value, Dumper=_Dumper, width=1 << 20, allow_unicode=True) for value in objects)
    return "---\n".join(documents)
