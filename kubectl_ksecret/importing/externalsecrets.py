"""ExternalSecrets and their stores, of v1 and v1beta1, read back into what this tool says; the inverse of rendering."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..model.kubernetes import STORES, Object
from ..model.types.declaration import Encoding
from ..model.types.names import KEY_VAULT_NAME, Duration, HttpsUrl, Property
from ..objects.documents import Document, mapping, sequence
from .found import FoundKey, FoundSecret, below, fits, keys_of, texts, written_name
from .gotemplates import Inexpressible, names_in, reference, translated

_POLICIES = ("CreatedOnce", "Periodic", "OnChange")
_DELETION = ("Retain", "Delete", "Merge")
# Argo CD's own, which the operator copies onto a Secret where no template stands, and nobody wants there.
_NOT_FOR_SECRETS = "argocd.argoproj.io/"


class StoreReference(NamedTuple):
    """The store that an ExternalSecret reads."""

    kind: str
    name: str


def store_of(document: Document) -> StoreReference:
    """The store that is read; of no name where the document says none."""
    said = below(document.object, "spec", "secretStoreRef")
    name, kind = said.get("name"), said.get("kind", "SecretStore")
    return StoreReference(kind if kind in STORES else "", name if isinstance(name, str) else "")


def secret_of(document: Document) -> FoundSecret:
    """The Secret that an ExternalSecret makes, as far as it can be declared."""
    spec = below(document.object, "spec")
    target = below(spec, "target")
    template = below(target, "template")
    fetched = dict(_fetched(document))
    keys, inputs = _keys(document, template, fetched)
    named = target.get("name")
    own = "template" not in target
    labels = document.metadata.get("labels") if own else below(template, "metadata").get("labels")
    annotations = document.annotations if own else below(template, "metadata").get("annotations")
    type_ = template.get("type")
    return FoundSecret(
        name=named if isinstance(named, str) and named else written_name(document),
        document=document,
        type=type_ if isinstance(type_, str) and type_ else "Opaque",
        labels=texts(labels),
        annotations=for_secrets(annotations) if own else texts(annotations),
        keys=keys,
        inputs=inputs,
    )


def for_secrets(annotations: object) -> dict[str, str]:
    """The annotations of an ExternalSecret without a template that are meant for its Secret too."""
    return {name: text for name, text in texts(annotations).items() if not name.startswith(_NOT_FOR_SECRETS)}


def of_vault(remote: object) -> str:
    """The name of a secret in the vault; empty for what is none, such as cert/shop-tls."""
    name = remote.removeprefix("secret/") if isinstance(remote, str) else ""
    return name if KEY_VAULT_NAME.fullmatch(name) else ""


def _fetched(document: Document) -> Iterable[tuple[str, FoundKey]]:
    for index, each in enumerate(sequence(below(document.object, "spec").get("data"))):
        said = mapping(each)
        remote = below(said, "remoteRef")
        key, name, property_ = said.get("secretKey"), remote.get("key"), remote.get("property")
        name = of_vault(name)
        if name and any(keys_of({key: None} if isinstance(key, str) else None)):
            encoding: Encoding = "base64" if remote.get("decodingStrategy") == "Base64" else "none"
            known = isinstance(property_, str) and fits(Property, property_)
            yield (
                str(key),
                FoundKey(
                    place=document.place("spec", "data", index),
                    remote=name,
                    property=property_ if known else None,
                    encoding=encoding,
                ),
            )


def _keys(
    document: Document, template: Object, fetched: Mapping[str, FoundKey]
) -> tuple[Mapping[str, FoundKey], Mapping[str, FoundKey]]:
    """The keys of the Secret, and what its templates need beside them."""
    data = template.get("data")
    if not isinstance(data, dict) or not data:
        return fetched, {}
    keys = dict(fetched) if template.get("mergePolicy") == "Merge" else {}
    for key in keys_of(data):
        try:
            text = translated(data[key]) if isinstance(data[key], str) else None
        except Inexpressible:
            text = None
        if text == reference(key) and key in fetched:
            keys[key] = fetched[key]
        elif text is not None and key not in names_in(text):
            place = document.place("spec", "target", "template", "data", key)
            keys[key] = FoundKey(place=place, template=text)
        else:
            keys.pop(key, None)
    known = {*keys, *fetched}
    keys = {key: each for key, each in keys.items() if not each.template or names_in(each.template) <= known}
    named = {name for each in keys.values() if each.template for name in names_in(each.template)}
    return keys, {name: fetched[name] for name in sorted(named - keys.keys()) if name in fetched}


def settings(documents: Sequence[Document]) -> Object:
    """The refreshing of most of the ExternalSecrets, and the metadata of them all, as a backend says it."""
    specs = [below(each.object, "spec") for each in documents]
    found: Object = {"refreshInterval": _usual(_duration(each) for each in specs) or "1h"}
    if policy := _usual(_one_of(each.get("refreshPolicy"), _POLICIES) for each in specs):
        found["refreshPolicy"] = policy
    if deletion := _usual(_one_of(below(each, "target").get("deletionPolicy"), _DELETION) for each in specs):
        found["deletionPolicy"] = deletion
    shared = {
        field: dict(set.intersection(*(set(texts(each.metadata.get(field)).items()) for each in documents)))
        for field in ("labels", "annotations")
    }
    if any(shared.values()):
        found["metadata"] = {field: dict(sorted(said.items())) for field, said in shared.items() if said}
    return found


def _duration(spec: Object) -> str | None:
    said = spec.get("refreshInterval", "1h")
    text = str(said) if isinstance(said, str | int) and not isinstance(said, bool) else ""
    return text if fits(Duration, text) else None


def _one_of(said: object, known: Sequence[str]) -> str | None:
    return said if isinstance(said, str) and said in known else None


def _usual(said: Iterable[str | None]) -> str | None:
    """What most of them say."""
    ((most, _), *_) = Counter(said).most_common(1)
    return most


def vault_url(store: Document) -> str | None:
    """The Key Vault of a store; None of one that reads something else."""
    found = below(store.object, "spec", "provider", "azurekv").get("vaultUrl")
    return found.strip() if isinstance(found, str) and fits(HttpsUrl, found.strip()) else None


def auth(store: Document) -> Object | None:
    """How a store signs in, as an overlay says it; None where it can't. Whether it is all is for a comparison."""
    said = below(store.object, "spec", "provider", "azurekv")
    type_ = said.get("authType", "ServicePrincipal")
    if type_ == "WorkloadIdentity":
        name = below(said, "serviceAccountRef").get("name")
        return {"workloadIdentity": {"serviceAccountName": name}} if name else None
    if type_ == "ManagedIdentity":
        return {"managedIdentity": {"identityId": said["identityId"]} if said.get("identityId") else {}}
    client, secret = below(said, "authSecretRef", "clientId"), below(said, "authSecretRef", "clientSecret")
    fields = {
        "tenantId": said.get("tenantId"),
        "secretName": client.get("name"),
        "clientIdKey": client.get("key"),
        "clientSecretKey": secret.get("key"),
    }
    complete = all(isinstance(each, str) for each in fields.values())
    return {"servicePrincipal": fields} if type_ == "ServicePrincipal" and complete else None
