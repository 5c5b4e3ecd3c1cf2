"""The text of a new overlay, each part of it with the option by which it was typed."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from textwrap import indent
from typing import Any

from .. import yamlio
from ..errors import InputError, Mistake
from ..frozen import Record
from ..model.loading import API_VERSION
from ..model.reading.reader import Reading, read
from ..model.types import overlay as overlay_type
from ..model.types.overlay import SecretOverlay
from ..model.types.sources import SOURCES
from ..model.validation.environment import spec_mistakes

_STORE = """      refreshInterval: 1h
      store:
        name: {name}
        # With auth the store is rendered too; without it, it exists already.
        # auth: {auth}
"""
_VAULT_AUTH = "{kubernetes: {mountPath: kubernetes, role: my-role, serviceAccountName: my-service-account}}"
_WORKLOAD_IDENTITY = "{workloadIdentity: {serviceAccountName: my-service-account}}"
_VAULT_SECRETS_OPERATOR = f"""      refreshAfter: 1h
      # With auth the VaultConnection and the VaultAuth are rendered too; without it, they exist already.
      # auth: {_VAULT_AUTH}
"""
_ACK_STORE = """      store:
        name: kms
        # With auth the store is rendered too; without it, it exists already.
        # auth: {rrsa: {oidcProviderARN: my-provider, ramRoleARN: my-role}}
"""
# A name in Kubernetes has no capitals.
_STORE_NAMES = {"azureKeyVault": "azure-keyvault-store", "alibabaKms": "kms-store"}
# What stands in a backend whose fields are not typed, by the source.
_FIELDS: Mapping[str, Callable[[str], str]] = {
    "externalSecret": lambda source: _STORE.format(
        name=_STORE_NAMES.get(source, f"{source}-store"),
        auth=_VAULT_AUTH if source == "vault" else _WORKLOAD_IDENTITY,
    ),
    "sealedSecret": lambda source: "      scope: strict\n",
    "vaultSecretsOperator": lambda source: _VAULT_SECRETS_OPERATOR,
    "ackSecretManager": lambda source: _ACK_STORE,
}


class Member(Record):
    """A backend or a source: the name of its type, its fields as they are typed, and the option."""

    field: str
    fields: Any
    option: str


class NewOverlay(Record):
    """What an overlay shall be. `declarations` and `certificate` are paths from its folder."""

    name: str
    namespace: str
    declarations: str
    backend: Member
    source: Member | None
    names: str | None
    property: str | None
    certificate: str | None
    recipients: Sequence[str]


class Part(Record):
    """Lines of the text, and the option that they come from; nothing where they are the same in each overlay."""

    option: str
    text: str


def parts_of(new: NewOverlay) -> list[Part]:
    """Return the text in parts."""
    return [
        Part(option="", text=f"apiVersion: {API_VERSION}\nkind: SecretOverlay\nmetadata:\n"),
        Part(option="DIR", text=f"  name: {written(new.name)}\n"),
        Part(option="", text='  annotations:\n    config.kubernetes.io/function: "exec: {path: ksecret-fn}"\n'),
        Part(option="", text=f"spec:\n  declarations: [{written(new.declarations)}]\n"),
        Part(option="--namespace", text=f"  namespace: {written(new.namespace)}\n"),
        *_source(new),
        *_backend(new),
    ]


def read_overlay(parts: Sequence[Part]) -> SecretOverlay:
    """Return what the user typed, read as the file will be.

    Raises InputError for what is wrong with it; there is no place in it to point at yet.
    """
    reading = Reading(overlay_type.FILE)
    text = "".join(part.text for part in parts)
    overlay = read(SecretOverlay, yamlio.compose(text, overlay_type.FILE)[0], reading)
    if mistakes := reading.mistakes or list(spec_mistakes(overlay)):
        raise InputError(*(_typed(parts, mistake) for mistake in mistakes))
    return overlay


def written(text: str) -> str:
    """A text as it stands in YAML: in quotes where it may be read as something else, such as a number."""
    plain = re.fullmatch("[-./_A-Za-z0-9]+", text) and yamlio.dump([text]).startswith(text)
    return text if plain else json.dumps(text)


def _source(new: NewOverlay) -> Iterator[Part]:
    source = new.source
    if source is None and new.backend.field == "secret":
        others = ", ".join(name for name in SOURCES if name != "environment")
        source = Member(field="environment", fields={}, option="--source")
        yield Part(option="", text=f"  source:  # or {others}\n")
    elif source is not None or new.names is not None or new.property is not None:
        yield Part(option="--source", text="  source:\n")
        names = new.names or "{remoteName}"
        yield Part(option="--names", text=f"    names: {json.dumps(names, ensure_ascii=False)}\n")
    if new.property is not None:
        yield Part(option="--property", text=f"    property: {json.dumps(new.property, ensure_ascii=False)}\n")
    if source is not None:
        yield Part(option=source.option, text=_block({source.field: source.fields}, 4))


def _backend(new: NewOverlay) -> Iterator[Part]:
    field, fields, option = new.backend.field, new.backend.fields, new.backend.option
    defaults = _FIELDS.get(field)
    rest = ""
    if fields:
        rest = _block(fields, 6)
    elif defaults is not None:
        rest = defaults(new.source.field if new.source else "existing")
    recipients = "".join(f"      - {written(recipient)}\n" for recipient in new.recipients)
    yield Part(option=option, text="  backend:\n")
    if not (rest or new.certificate or recipients):
        comment = "  # the recipients of .sops.yaml" if field == "sops" else ""
        yield Part(option=option, text=f"    {field}: {{}}{comment}\n")
        return
    yield Part(option=option, text=f"    {field}:\n")
    if new.certificate:
        yield Part(option="--certificate", text=f"      certificate: {written(new.certificate)}\n")
    if recipients:
        yield Part(option="--age", text=f"      age:\n{recipients}")
    yield Part(option=option, text=rest)


def _block(value: object, width: int) -> str:
    return indent(yamlio.dump([value]), " " * width)


def _typed(parts: Sequence[Part], mistake: Mistake) -> Mistake:
    """Return a mistake with the option in which it was typed, in place of a line that nobody has seen."""
    line = mistake.place.line if mistake.place and mistake.place.line else 0
    option = ""
    for part in parts:
        line -= part.text.count("\n")
        if line <= 0:
            option = part.option
            break
    hint = re.sub(r"^set source\.", "give --source ", mistake.hint)
    return Mistake(f"{option}: {mistake.message}" if option else mistake.message, hint=hint)
