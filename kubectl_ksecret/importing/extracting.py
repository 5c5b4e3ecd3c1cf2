"""Live ExternalSecrets that take all that a secret of the store holds: their Secrets tell the names of the keys."""

from collections.abc import Iterable, Iterator

from ..cluster import listing
from ..cluster.api import Api
from ..errors import InputError, Mistake
from ..model.kubernetes import Object
from ..model.types.names import Property
from ..objects.documents import Document, mapping, sequence
from .secrets import below, fits, title
from .selecting import secret_name

_SERVER_DEFAULTS = {"conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None"}


def named(api: Api, external: Iterable[Document]) -> Iterator[Mistake]:
    """Name the keys in each ExternalSecret of one plain extract, and yield what that changes."""
    for document in external:
        extract = _plain_extract(document)
        if extract is None:
            continue
        try:
            [listed] = listing.secrets(api, str(document.metadata["namespace"]), [secret_name(document)], "")
        except InputError as error:
            if error.exit_code != 2:
                raise
            continue  # it has no Secret yet, so it stays as it is
        keys = listing.with_keys(api, listed)["data"]
        entries = [_entry(extract, key) for key in keys if fits(Property, key) and "." not in key]
        if len(entries) != len(keys) or not entries:
            continue
        spec = document.object["spec"]
        del spec["dataFrom"]
        spec["data"] = entries
        yield Mistake(
            f"{title(document)} took whatever {extract.get('key')} holds; its keys are named now: {', '.join(keys)}",
            document.place(),
        )


def _plain_extract(document: Document) -> Object | None:
    """Return the one extract of an ExternalSecret that takes nothing else, and makes nothing else of it."""
    spec = below(document.object, "spec")
    target = below(spec, "target")
    template = below(target, "template")
    alone = not spec.get("data") and not template.get("data") and not template.get("templateFrom")
    if not alone or target.get("creationPolicy") not in (None, "Owner"):  # else others put keys there too
        return None
    entries = sequence(spec.get("dataFrom"))
    if len(entries) != 1 or mapping(entries[0]).keys() != {"extract"}:
        return None
    fields = {name: text for name, text in mapping(entries[0]["extract"]).items() if _SERVER_DEFAULTS.get(name) != text}
    return fields if fields.keys() <= {"key", "property"} and "key" in fields else None


def _entry(extract: Object, key: str) -> Object:
    member = f"{extract['property']}.{key}" if extract.get("property") else key
    return {"secretKey": key, "remoteRef": {"key": extract["key"], "property": member}}
