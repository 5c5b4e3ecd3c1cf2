"""The record: what is known of each sealed value without the value.

It is one block of text in an annotation of the Secret itself, two lines a key, the name above and what is known of it
below, so that git merges the changes of neighbouring keys.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from ..frozen import Record
from ..model.backend import Backend, Path
from ..model.kubernetes import Object
from ..model.template import Parts, references

ANNOTATION = "ksecret.dev/sealed-keys"
_OLD_PATH: Path = ("metadata", "annotations")


class Provenance(Record):
    """What is known of a value without the value: where it came from, and, once it is sealed, when and for whom.

    `version` is the source's, if it has versions; a key made by a template has its inputs' versions, and the digest of
    the template's text and parameters. `by` is the fingerprint of the certificate or recipients, `digest` that of the
    ciphertext that all of this is said of.
    """

    time: str = ""
    by: str = ""
    digest: str = ""
    version: str | None = None
    inputs: Mapping[str, str] = {}
    template: str | None = None

    @property
    def versioned(self) -> bool:
        """Whether a change of the value in its source would show."""
        return bool(self.version or self.inputs)

    def line(self) -> str:
        """Return the provenance as it is written."""
        inputs = ",".join(f"{name}={version}" for name, version in sorted(self.inputs.items()))
        fields = {
            "time": self.time,
            "by": self.by,
            "digest": self.digest,
            "version": self.version,
            "inputs": inputs,
            "template": self.template,
        }
        return " ".join(f"{name}={value}" for name, value in fields.items() if value)


Entries = Mapping[str, Provenance]


def parse(text: str) -> Entries:
    """Return the provenance of each key; what can't be read is left out, so that its key is sealed again."""
    entries = {}
    lines = text.splitlines()
    for above, below in pairwise(lines):
        if above.startswith(" ") or not above.endswith(":") or not below.startswith(" "):
            continue
        fields = dict(field.partition("=")[::2] for field in below.split())
        if "time" in fields and "by" in fields:
            inputs = fields.get("inputs", "").split(",")
            entries[above[:-1]] = Provenance(
                time=fields["time"],
                by=fields["by"],
                digest=fields.get("digest", ""),
                version=fields.get("version"),
                inputs=dict(field.rpartition("=")[::2] for field in inputs if field),
                template=fields.get("template"),
            )
    return entries


def text(entries: Entries) -> str:
    """Return the block of text, sorted by key."""
    return "".join(f"{key}:\n  {provenance.line()}\n" for key, provenance in sorted(entries.items()))


def of(document: Object, backend: Backend) -> Entries:
    """Return what is known of the sealed keys of a committed object.

    A record costs nothing to write, so one of a key without ciphertext says nothing. Where a key stands in both places
    that a record may have, the entry of the ciphertext at hand is the right one.
    """
    held = backend.held(document)
    entries = _at(document, _OLD_PATH)
    if backend.record_path != _OLD_PATH:
        for key, provenance in _at(document, backend.record_path).items():
            old = entries.get(key)
            if old is None or not is_of(old, held.get(key, "")) or is_of(provenance, held.get(key, "")):
                entries[key] = provenance
    return {key: provenance for key, provenance in entries.items() if key in held}


def _at(document: Object, path: Path) -> dict[str, Provenance]:
    block = annotations_at(document, path).get(ANNOTATION)
    return dict(parse(block)) if isinstance(block, str) else {}


def annotations_at(document: Object, path: Path) -> Mapping[str, Any]:
    """Return the annotations at a path of any object; none where something else stands there."""
    value: object = document
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def without(value: object) -> object:
    """Return any part of an object without the record, and without what is empty because of that."""
    if not isinstance(value, dict):
        return value
    fields = {}
    for name, below in value.items():
        remaining = without(below)
        if name != ANNOTATION and (remaining != {} or below == {}):
            fields[name] = remaining
    return fields


def digest_of(ciphertext: str) -> str:
    """Return the digest of a ciphertext, which is public; YAML may have broken it into lines."""
    import hashlib  # a build needs none

    return f"sha256:{hashlib.sha256(''.join(ciphertext.split()).encode()).hexdigest()}"


def is_of(provenance: Provenance, ciphertext: str) -> bool:
    """Whether an entry speaks of this very ciphertext."""
    return bool(provenance.digest) and provenance.digest == digest_of(ciphertext)


def is_by_another_hand(provenance: Provenance | None, ciphertext: str) -> bool:
    """Whether a key was sealed by something that keeps no record, after its entry was written."""
    return provenance is not None and bool(provenance.digest) and not is_of(provenance, ciphertext)


def sealed_anew(entries: Entries, arrived: Entries) -> Iterator[str]:
    """Find the keys whose record in the file is not the one that came to the Secret together with the data."""
    for key, provenance in entries.items():
        digests = (provenance.digest, arrived[key].digest if key in arrived else "")
        if all(digests) and len(set(digests)) > 1:
            yield key


def template_digest(parts: Parts, parameters: Mapping[str, str]) -> str:
    """Return a digest of a template's text and of the parameters that it names; neither is secret."""
    import hashlib
    import json

    texts: list[object] = [
        part if isinstance(part, str) else [part.name, part.parameter, list(part.filters)] for part in parts
    ]
    named = {part.name: parameters[part.name] for part in references(parts) if part.parameter}
    canonical = json.dumps([texts, named], sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def fingerprints(documents: Iterable[Object], backend: Backend) -> set[str]:
    """Return by which certificates or recipients the keys of these objects were sealed, as far as it is known."""
    return {
        provenance.by
        for document in documents
        for key, provenance in of(document, backend).items()
        if not is_by_another_hand(provenance, backend.held(document)[key])
    }
