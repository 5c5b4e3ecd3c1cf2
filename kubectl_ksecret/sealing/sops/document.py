"""Kubernetes Secrets encrypted with SOPS and age: open any, write one form (sops.go, stores/yaml of sops 3.13).

Our form: base64 values under `data`, each encrypted as text, and a MAC over these alone. The API server refuses such
a file if it is applied by mistake, and kustomize may change the metadata.
"""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ... import yamlio
from ...backends.sops.document import (
    BLOCK,
    ENCRYPTED_REGEX,
    OTHER_KINDS,
    age_entries,
    block,
    caught,
    in_our_form,
    mac_covers_plain_fields,
    readers,
)
from ...errors import InputError, Mistake, Place, Refusal, shown
from ...frozen import Record
from ...model.kubernetes import Object, decoded
from ...sensitive import Sensitive
from .. import age
from . import goyaml
from .selection import selection
from .value import KEY_BYTES, Changed, DataKey, Path, Scalar, additional_data, bytes_of, mac_bytes

VERSION = "3.13.2"

# Begins the hash of a MAC over encrypted values alone, so that it never equals one over all.
_ONLY_ENCRYPTED = hashlib.sha256(b"sops").digest()
_RESTORE = "restore the file from Git, or seal it again"


class OpenedDocument(Record):
    """A document that was opened: as it is written, in plain text, and the key between the two.

    `plaintext` is the JSON of all but the sops block, in the document's order. In it, bytes that are not UTF-8 are
    escaped surrogates, and infinity and NaN stand as Python's json writes them.
    """

    file: str
    object: Object
    plaintext: Sensitive
    data_key: DataKey

    def values(self) -> dict[str, Sensitive]:
        """The bytes of each key of a Secret, as the API server would store them.

        Raises InputError for a value that is no text, or no base64 under `data`.
        """
        decoded = {key: Sensitive(self._decoded(key, text)) for key, text in self._texts("data")}
        return decoded | {key: Sensitive(bytes_of(text)) for key, text in self._texts("stringData")}

    def _texts(self, field: str) -> Iterator[tuple[str, str]]:
        values = json.loads(self.plaintext.reveal()).get(field) or {}
        if not isinstance(values, dict):
            raise InputError(Mistake(f"{field} is not a mapping", Place(self.file)))
        for key, text in values.items():
            if not isinstance(text, str):
                raise InputError(Mistake(f"{field}.{shown(key)} is not text", Place(self.file)))
            yield key, text

    def _decoded(self, key: str, text: str) -> bytes:
        try:
            return decoded(text)
        except ValueError:
            raise InputError(Mistake(f"data.{shown(key)} is not base64", Place(self.file))) from None


def open_document(text: str, file: str, identities: Sequence[Sensitive]) -> OpenedDocument:
    """Decrypt a YAML document and verify its MAC, as `sops decrypt` does.

    Raises InputError for a form that is not supported, Refusal if no identity opens it or it was changed.
    """
    written = goyaml.read(text, file)
    if not block(written):
        raise InputError(Mistake("not encrypted with SOPS: there is no sops block", Place(file)))
    opening = _Opening(text, file, written, _data_key(written, file, identities))
    plain = {name: opening.value(value, (name,)) for name, value in written.items() if name != BLOCK}
    opening.verify()
    plaintext = Sensitive(json.dumps(plain).encode())
    return OpenedDocument(file=file, object=written, plaintext=plaintext, data_key=opening.key)


def _data_key(written: Object, file: str, identities: Sequence[Sensitive]) -> DataKey:
    groups = block(written).get("key_groups")
    groups = [group for group in groups if isinstance(group, dict)] if isinstance(groups, list) else []
    if len(groups) > 1:
        hint = "only one group is supported here; sops can open it, and encrypt it anew with one group"
        raise InputError(Mistake("the data key is shared among several key groups", Place(file), hint))
    # As sops does, it is opened by the first key that works, whatever others there are.
    for entry in age_entries(written):
        key = age.unwrap(entry["enc"], identities)
        if key is not None and len(key.reveal()) == KEY_BYTES:
            return DataKey(key)
    kinds = [kind for kind in OTHER_KINDS if any(holder.get(kind) for holder in (block(written), *groups))]
    if kinds and not age_entries(written):
        hint = "only age keys are supported here; sops can open it, and sops rotate --add-age adds one"
        raise InputError(Mistake(f"the data key is encrypted with {', '.join(kinds)}", Place(file), hint))
    hint = "set SOPS_AGE_KEY_FILE to the key file of one of its recipients"
    raise Refusal(Mistake("no age identity at hand opens it", Place(file), hint))


class _Opening:
    """One walk over a document, in its order: decrypts what is selected, hashes what the MAC covers."""

    def __init__(self, text: str, file: str, written: Object, key: DataKey) -> None:
        self.text, self.file, self.key, self.block = text, file, key, block(written)
        self.covers_all = mac_covers_plain_fields(written)
        self.selected = selection(self.block, file)
        self.digest = hashlib.sha512(b"" if self.covers_all else _ONLY_ENCRYPTED)

    def value(self, value: Any, path: Path) -> Any:
        if isinstance(value, dict):
            return {name: self.value(below, (*path, name)) for name, below in value.items()}
        if isinstance(value, list):
            return [self.value(element, path) for element in value]
        return None if value is None else self.leaf(value, path)

    def leaf(self, value: Scalar, path: Path) -> Scalar:
        selected = self.selected(path)
        plain = self.decrypted(value, path) if selected else value
        if selected or self.covers_all:
            self.digest.update(mac_bytes(plain))
        return plain

    def decrypted(self, value: Scalar, path: Path) -> Scalar:
        name = shown(".".join(path))
        if not isinstance(value, str) or (value and not value.startswith("ENC[")):
            raise self.refusal(f"{name} is not encrypted", path)
        try:
            return self.key.decrypt(value, additional_data(path))
        except Changed:
            raise self.refusal(f"{name} was changed after it was encrypted", path) from None

    def verify(self) -> None:
        """Compare the MAC in the block with the one over what was read."""
        try:
            stated = self.key.decrypt(str(self.block.get("mac", "")), str(self.block.get("lastmodified", "")))
        except Changed:
            raise self.refusal("the MAC was changed after it was encrypted", (BLOCK, "mac")) from None
        if not hmac.compare_digest(mac_bytes(stated), _mac(self.digest)):
            raise self.refusal("the file was changed after it was encrypted: its MAC does not fit", (BLOCK, "mac"))

    def refusal(self, message: str, path: Path) -> Refusal:
        return Refusal(Mistake(message, yamlio.place_of(self.text, self.file, *path), _RESTORE))


def _mac(digest: "hashlib._Hash") -> bytes:
    return digest.hexdigest().upper().encode()


class _Leaf(NamedTuple):
    """One value under `data`: how it is written, and the base64 that this decrypts to."""

    text: str
    plain: Sensitive


def encrypt(shell: Object, values: Mapping[str, Sensitive], recipients: Collection[str], now: datetime) -> Object:
    """A Secret in our form, with a new data key: `shell` is the plain one without its values.

    Raises InputError if there is no recipient or one is none, and if SOPS would encrypt a part of the shell too.
    """
    if not recipients:
        raise InputError(Mistake("there is no age recipient to encrypt for"))
    key = DataKey.new()
    leaves = {name: _fresh(key, name, value) for name, value in sorted(values.items())}
    entries = [_entry(key, recipient) for recipient in dict.fromkeys(recipients)]
    return _secret(shell, leaves, {"age": entries, **_block(leaves, key, now)})


def update(
    document: OpenedDocument,
    shell: Object,
    values: Mapping[str, Sensitive],
    *,
    staying: Collection[str],
    recipients: Collection[str],
    now: datetime,
) -> Object:
    """The Secret with the least change: `values`, and the `staying` keys of the document; no other key stays.

    What does not change keeps its ciphertext, and the sops block if nothing does. The data key stays unless a
    recipient left; then, and for a document in another form than ours, all is encrypted anew. Raises as `encrypt`.
    """
    entries = age_entries(document.object)
    earlier = {entry["recipient"] for entry in entries}
    if not set(readers(document.object)) <= set(recipients) or not in_our_form(document.object):
        before = document.values()
        return encrypt(shell, {**{name: before[name] for name in staying}, **values}, recipients, now)
    old, key = _leaves(document), document.data_key
    changed = {name: _renewed(key, name, value, old.get(name)) for name, value in values.items()}
    leaves = dict(sorted(({name: old[name] for name in staying} | changed).items()))
    entries += [_entry(key, recipient) for recipient in dict.fromkeys(recipients) if recipient not in earlier]
    # The MAC depends on the order too: sops set appends a new key at the end.
    stays = list(leaves.items()) == list(old.items())
    stated = block(document.object) if stays else _block(leaves, key, now)
    return _secret(shell, leaves, {**stated, "age": entries})


def _leaves(document: OpenedDocument) -> dict[str, _Leaf]:
    plain = json.loads(document.plaintext.reveal())["data"]
    return {name: _Leaf(text, Sensitive(bytes_of(plain[name]))) for name, text in document.object["data"].items()}


def _renewed(key: DataKey, name: str, value: Sensitive, old: _Leaf | None) -> _Leaf:
    fresh = _fresh(key, name, value)
    return old if old is not None and old.plain.reveal() == fresh.plain.reveal() else fresh


def _fresh(key: DataKey, name: str, value: Sensitive) -> _Leaf:
    plain = Sensitive(b64encode(value.reveal()))
    return _Leaf(key.encrypt(plain, additional_data(("data", name))), plain)


def _entry(key: DataKey, recipient: str) -> dict[str, str]:
    return {"recipient": recipient, "enc": age.wrap(key.key, recipient)}


def _block(leaves: Mapping[str, _Leaf], key: DataKey, now: datetime) -> Object:
    """The sops block but for its recipients."""
    digest = hashlib.sha512(_ONLY_ENCRYPTED)
    for leaf in leaves.values():
        digest.update(leaf.plain.reveal())
    modified = now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "encrypted_regex": ENCRYPTED_REGEX,
        "lastmodified": modified,
        "mac": key.encrypt(Sensitive(_mac(digest)), modified),
        "mac_only_encrypted": True,
        "version": VERSION,
    }


def _secret(shell: Object, leaves: Mapping[str, _Leaf], stated: Object) -> Object:
    for field in caught(shell):
        hint = "SOPS would encrypt it: give it another name"
        raise InputError(Mistake(f"a label or annotation of the Secret is called {field}", None, hint))
    return {**shell, "data": {name: leaf.text for name, leaf in leaves.items()}, BLOCK: stated}
