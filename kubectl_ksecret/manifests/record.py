"""The record: what is known of each sealed value without the value.

One block of text in an annotation, two lines a key, the name above and what is known of it below, so that git
merges the changes of neighbouring keys.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from ..frozen import Record
from ..model.kubernetes import Object
from ..model.template import Parts, references
from . import sops

ANNOTATION = "ksecret.dev/sealed-keys"


class Entry(Record):
    """What is known of one sealed key.

    `by` is the fingerprint of the certificate or recipients. `version` is the source's, if it has versions; a key
    made by a template has its inputs' versions, and the digest of the template's text and parameters.
    """

    time: str
    by: str
    version: str | None = None
    inputs: Mapping[str, str] = {}
    template: str | None = None

    def line(self) -> str:
        """The entry as it is written."""
        inputs = ",".join(f"{name}={version}" for name, version in sorted(self.inputs.items()))
        fields = {
            "time": self.time,
            "by": self.by,
            "version": self.version,
            "inputs": inputs,
            "template": self.template,
        }
        return " ".join(f"{name}={value}" for name, value in fields.items() if value)


def parse(text: str) -> Mapping[str, Entry]:
    """Entries by key; what can't be read is left out, so that its key is sealed again."""
    entries = {}
    lines = text.splitlines()
    for above, below in pairwise(lines):
        if above.startswith(" ") or not above.endswith(":") or not below.startswith(" "):
            continue
        said = dict(field.partition("=")[::2] for field in below.split())
        if "time" in said and "by" in said:
            inputs = dict(each.rpartition("=")[::2] for each in said.get("inputs", "").split(",") if each)
            entries[above[:-1]] = Entry(
                time=said["time"],
                by=said["by"],
                version=said.get("version"),
                inputs=inputs,
                template=said.get("template"),
            )
    return entries


def text(entries: Mapping[str, Entry]) -> str:
    """The block of text, sorted by key."""
    return "".join(f"{key}:\n  {entry.line()}\n" for key, entry in sorted(entries.items()))


def of(document: Object) -> Mapping[str, Entry]:
    """The record of a committed object; empty if it has none."""
    annotations = document.get("metadata", {}).get("annotations") or {}
    found = annotations.get(ANNOTATION) if isinstance(annotations, dict) else None
    return parse(found) if isinstance(found, str) else {}


def template_digest(parts: Parts, parameters: Mapping[str, str]) -> str:
    """A digest of a template's text and of the parameters that it names; neither is secret."""
    import hashlib
    import json

    said: list[object] = [
        part if isinstance(part, str) else [part.name, part.parameter, list(part.filters)] for part in parts
    ]
    named = {each.name: parameters[each.name] for each in references(parts) if each.parameter}
    canonical = json.dumps([said, named], sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def fingerprints(documents: Iterable[Object]) -> set[str]:
    """By which certificates or recipients the keys of these objects were sealed.

    A line of the record costs nothing to write: those of keys without ciphertext say nothing.
    """
    return {entry.by for document in documents for key, entry in of(document).items() if key in sealed_keys(document)}


def sealed_keys(document: Object) -> set[str]:
    """The keys of which an object holds ciphertext, whichever backend sealed it."""
    spec = document.get("spec")
    found = [spec.get("encryptedData")] if isinstance(spec, dict) else []
    if sops.block(document):
        found += [document.get(field) for field in sops.ENCRYPTED_FIELDS]
    return {str(key) for each in found if isinstance(each, dict) for key in each}
