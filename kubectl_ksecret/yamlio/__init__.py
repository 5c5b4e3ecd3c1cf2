"""YAML: two readers, a writer and an editor. The only package that imports PyYAML and ruamel.yaml.

`compose` and `load` are strict and read what is our own; `read_foreign` and `compose_foreign` read what other people
wrote, as kubectl reads it; `dump` writes. The editor, `yamlio.editing`, is imported where a text is edited.
"""

from yaml import MappingNode, Node, ScalarNode, SequenceNode

from .foreign import ForeignDocument, ForeignFile, compose_foreign, read_foreign
from .nodes import MAX_DEPTH
from .reading import compose, load, place_of
from .writing import Below, dump

__all__ = [
    "MAX_DEPTH",
    "Below",
    "ForeignDocument",
    "ForeignFile",
    "MappingNode",
    "Node",
    "ScalarNode",
    "SequenceNode",
    "compose",
    "compose_foreign",
    "dump",
    "load",
    "place_of",
    "read_foreign",
]
