"""YAML as sops reads it, with the scalars of go-yaml v3 (resolve.go): the MAC is made over their values."""

import math
import re
from typing import Any

from ...errors import InputError, Mistake, Place, shown
from ...model.kubernetes import Object, decoded
from ...yamlio import MappingNode, Node, ScalarNode, compose
from .value import Scalar, text_of

_BINARY = "tag:yaml.org,2002:binary"
_WORDS: dict[str, Scalar | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
}
_INTEGER = re.compile(r"[-+]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]{0,19})")
_OLD_OCTAL = re.compile(r"(?<![0-9a-zA-Z])0(?=[0-7])")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


def read(text: str, file: str) -> Object:
    """Return the one document of a file as plain values, in its order.

    Raises InputError for anything but one mapping, for a key that stands twice or is no text, and for an alias.
    """
    documents = compose(text, file)
    if len(documents) != 1 or not isinstance(documents[0], MappingNode):
        raise InputError(Mistake("expected one YAML mapping", Place(file), "split a file of several documents"))
    return _Reading(file).mapping(documents[0])


class _Reading:
    def __init__(self, file: str) -> None:
        self.file = file
        self.seen: set[int] = set()

    def value(self, node: Node) -> Any:
        if isinstance(node, ScalarNode):
            return self.scalar(node)
        if id(node) in self.seen:
            raise self.mistake(node, "a YAML alias is not supported here")
        self.seen.add(id(node))
        return self.mapping(node) if isinstance(node, MappingNode) else [self.value(element) for element in node.value]

    def mapping(self, node: MappingNode) -> Object:
        pairs: Object = {}
        for key, value in node.value:
            name = self.value(key)
            if not isinstance(name, str) or key.tag == _BINARY:
                raise self.mistake(key, "a key that is not text; SOPS knows no other")
            if name in pairs:
                raise self.mistake(key, f'"{shown(name)}" stands here twice')
            pairs[name] = self.value(value)
        return pairs

    def scalar(self, node: ScalarNode) -> Scalar | None:
        if node.tag == _BINARY:
            try:
                return text_of(decoded(node.value))
            except ValueError:
                raise self.mistake(node, "not base64") from None
        return node.value if node.style else resolve(node.value)

    def mistake(self, node: Node, message: str) -> InputError:
        return InputError(Mistake(message, Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)))


def resolve(plain: str) -> Scalar | None:
    """Return the value of a scalar without quotes; a time stays text, which is what sops writes and hashes."""
    if plain in _WORDS:
        return _WORDS[plain]
    digits = plain.replace("_", "") if plain[0] in "+-0123456789" else plain
    if _INTEGER.fullmatch(digits):
        number = int(_OLD_OCTAL.sub("0o", digits), 0)
        if -(1 << 63) <= number < 1 << 64:
            return number
    if _FLOAT.fullmatch(digits) and math.isfinite(float(digits)):
        return float(digits)
    return plain
