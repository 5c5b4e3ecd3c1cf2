"""One environment: which of its objects are imported, and which stay as they are, with the reason."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ..backends import sealedsecret
from ..errors import InputError, Mistake, Place, printable, with_article
from ..frozen import Record
from ..model.kubernetes import OPERATOR, STORES, Object
from ..model.types.names import Name
from ..model.types.policies import Scope
from ..objects.documents import Document, sequence
from . import collecting, externalsecrets, ownership, secrets, stores
from .collecting import CollectedObjects, EnvironmentArgument, OverlayForm
from .externalsecrets import NamedStore, store_of
from .secrets import ImportedSecret, title, written_name
from .stores import StoreReading

_GROUPS = {"ExternalSecret": OPERATOR, "SealedSecret": sealedsecret.GROUP, "Secret": ""}
_ANOTHER_BACKEND = "an overlay has one backend; import its file as an environment of its own"
_OF_ANOTHER_BACKEND = "an overlay has one backend; import it under another NAME, with --backend"


class Staying(NamedTuple):
    """A Secret that is not imported: the object that stays, why, and what another environment's overlay says of it."""

    secret: str
    document: Document
    reason: str
    omission: str
    place: Place
    hint: str = ""

    @property
    def mistake(self) -> Mistake:
        """The reason, as a message."""
        return Mistake(printable(f"{title(self.document)} {self.reason}"), self.place, printable(self.hint))


class ImportedEnvironment(Record):
    """What one environment has; `staying` are the Secrets that it has and that are not imported, by name."""

    name: str
    namespace: str
    collected: CollectedObjects
    secrets: Mapping[str, ImportedSecret]
    store: StoreReading
    staying: Mapping[str, Staying]
    ignored: Sequence[Mistake]
    form: OverlayForm

    @property
    def documents(self) -> list[Document]:
        """The objects that are imported."""
        return [secret.document for secret in self.secrets.values()]

    @property
    def is_external(self) -> bool:
        """Whether the operator fetches its Secrets."""
        return any(secret.kind == "ExternalSecret" for secret in self.secrets.values())

    @property
    def source(self) -> Object | None:
        """Where the overlay's values lie, as it has it; None where nobody says."""
        named = self.store.source
        return {named.field: named.fields} if named else self.form.source

    @property
    def source_identity(self) -> tuple[str, ...]:
        """What is the same for two environments in whose sources one name means one value."""
        return self.store.source.identity if self.store.source else ()

    @property
    def backend(self) -> Object:
        """How the operator refreshes most of its ExternalSecrets, and from which store, as an overlay has it."""
        reference = _usual_store(self.documents)
        kind = {} if reference.kind == "SecretStore" else {"kind": reference.kind}
        return externalsecrets.settings(self.documents) | {"store": {"name": reference.name, **kind}}

    @property
    def is_sops(self) -> bool:
        """Whether SOPS encrypts its Secrets."""
        return any(secret.is_sops for secret in self.secrets.values())

    @property
    def recipients(self) -> tuple[str, ...]:
        """Those for whom SOPS encrypts its Secrets."""
        encrypted = next((secret.recipients for secret in self.secrets.values() if secret.is_sops), ())
        return encrypted or tuple(self.form.recipients)

    @property
    def scope(self) -> Scope:
        """That of most SealedSecrets."""
        return _usual_scope(self.documents)

    def without(self, staying: Mapping[str, Staying]) -> "ImportedEnvironment":
        """Return the same environment, of which these stay as they are."""
        imported = {name: secret for name, secret in self.secrets.items() if name not in staying}
        return self.but(secrets=imported, staying={**self.staying, **staying})


def stays(document: Document, reason: str, hint: str = "", place: Place | None = None, omission: str = "") -> Staying:
    """Return why an object stays as it is."""
    return Staying(
        secret=secret_name(document),
        document=document,
        reason=reason,
        omission=omission or f"Stays {with_article(document.subject.kind)}",
        place=place or document.place("kind"),
        hint=hint,
    )


def secret_name(document: Document) -> str:
    """Return the name of the Secret that an object makes."""
    if document.subject.kind != "ExternalSecret":
        return written_name(document)
    return externalsecrets.name_of_secret(document)


def select(argument: EnvironmentArgument) -> ImportedEnvironment:
    """Read one environment. Raises InputError where nothing of it can be read, or where too little is said."""
    collected = collecting.collect(argument)
    if not any(map(_makes_a_secret, collected.documents)):
        raise InputError(*collected.unread, _nothing(argument))
    namespace = _namespace(argument, collected.documents)
    candidates, ignored = _of_namespace(collected.documents, namespace)
    external = [document for document in candidates if document.subject.kind == "ExternalSecret"]
    store = _store(argument, external, collected, namespace)
    imported, staying = _chosen(candidates, store, is_live=collected.is_live)
    by_name, twice = _by_name(imported)
    staying += twice
    if not by_name:
        reasons = [*collected.unread, *ignored, *(stay.mistake for stay in staying)]
        raise InputError(*reasons, _nothing(argument))
    return ImportedEnvironment(
        name=argument.name,
        namespace=namespace,
        collected=collected,
        secrets=by_name,
        store=store,
        staying={stay.secret: stay for stay in staying},
        ignored=[*collected.unread, *ignored],
        form=argument.form,
    )


def _nothing(argument: EnvironmentArgument) -> Mistake:
    if argument.live:
        return Mistake(f"{argument.name}: the {argument.path} holds nothing to import")
    hint = "ExternalSecrets, SealedSecrets, Secrets and secretGenerator entries are imported"
    return Mistake(f"{argument.name}: {argument.path} holds nothing to import", hint=hint)


def _namespace(argument: EnvironmentArgument, documents: Iterable[Document]) -> str:
    if argument.namespace:
        return argument.namespace
    names = sorted(
        {
            _namespace_of(document)
            for document in documents
            if _makes_a_secret(document) and not _is_encrypted_whole(document)
        }
        - {""}
    )
    if len(names) == 1:
        return names[0]
    hint = f"say it: --namespace {argument.name}={names[0] if names else 'NAMESPACE'}"
    several = f"has Secrets in {', '.join(names)}; an overlay is of one namespace"
    problem = several if names else "says no namespace"
    raise InputError(Mistake(f"{argument.name}: {argument.path} {printable(problem)}", hint=printable(hint)))


def _namespace_of(document: Document) -> str:
    namespace = document.metadata.get("namespace")
    return namespace if isinstance(namespace, str) else ""


def _makes_a_secret(document: Document) -> bool:
    """Whether an object makes a Secret that can be declared; something without a name can't be."""
    kind = document.subject.kind
    return kind in _GROUPS and document.group == _GROUPS[kind] and bool(document.subject.name)


def _of_namespace(documents: Iterable[Document], namespace: str) -> tuple[list[Document], list[Mistake]]:
    """Return the objects that make a Secret of this namespace, and what is said of the others."""
    candidates, ignored = [], []
    for document in documents:
        elsewhere = _namespace_of(document) not in ("", namespace)
        if secrets.is_sops(document) and _is_encrypted_whole(document):
            hint = "encrypt its values alone: sops --encrypted-regex '^(data|stringData)$'"
            ignored.append(Mistake("this object stays as it is: even its name is encrypted", document.place(), hint))
        elif not _makes_a_secret(document):
            strange = document.group.endswith(OPERATOR) and document.subject.kind not in ("ExternalSecret", *STORES)
            if strange and not elsewhere:
                ignored.append(stays(document, "is not imported").mistake)
        elif elsewhere:
            ignored.append(stays(document, f"is in the namespace {_namespace_of(document)}").mistake)
        elif owner := ownership.maker(document):
            ignored.append(stays(document, f"is left out: it is made by {owner}").mistake)
        else:
            candidates.append(document)
    return candidates, ignored


def _is_encrypted_whole(document: Document) -> bool:
    """Whether SOPS has encrypted what says which object it is."""
    return any(text.startswith("ENC[") for text in document.subject)


def _chosen(
    candidates: Sequence[Document], store: StoreReading, *, is_live: bool
) -> tuple[list[ImportedSecret], list[Staying]]:
    """Return the Secrets of the one backend that an overlay has, and the others."""
    external = [document for document in candidates if document.subject.kind == "ExternalSecret"]
    if external:
        others = [document for document in candidates if document.subject.kind != "ExternalSecret"]
        imported, staying = _external(external, store)
        hint = _OF_ANOTHER_BACKEND if is_live else _ANOTHER_BACKEND
        return imported, staying + [stays(document, "stays as it is", hint) for document in others]
    return _sealed(candidates)


def _external(external: Sequence[Document], store: StoreReading) -> tuple[list[ImportedSecret], list[Staying]]:
    """Return the ExternalSecrets of the usual store, and of others where the overlay names no source of values."""
    imported, staying = [], []
    usual = _usual_store(external)
    for document in external:
        secret = externalsecrets.secret_of(document, store)
        if store_of(document) != usual and (store.provider is not None or not store_of(document).name):
            reason = "stays as it is: it reads another store than most"
            hint = "an overlay has one store; import it as an environment of its own"
            staying.append(stays(document, reason, hint, omission="Stays an ExternalSecret of another store"))
        elif store_of(document).name and not secrets.fits(Name, store_of(document).name):
            place = document.place("spec", "secretStoreRef", "name")
            hint = "import the folder with the kustomization that fills it in"
            omission = "Stays an ExternalSecret of a store without a name"
            staying.append(
                stays(document, "stays as it is: no store has the name that it reads", hint, place, omission)
            )
        elif not secret.keys:
            staying.append(_without_keys(document))
        else:
            imported.append(secret)
    return imported, staying


def _usual_store(external: Iterable[Document]) -> NamedStore:
    """Return the store that most read."""
    return Counter(map(store_of, external)).most_common(1)[0][0]


def _without_keys(document: Document) -> Staying:
    """Return why no key of an ExternalSecret can be declared."""
    omission = "Stays a hand-written ExternalSecret"
    templates = ("spec", "target", "template", "data")
    if secrets.below(document.object, *templates):
        place, hint = document.key(*templates), ""
        reason = "none of its templates can be declared"
        if key := externalsecrets.undeclarable(document):
            place = document.key(*templates, key)
            reason = f"the template of {key} says what a declaration can't"
        elif len(sequence(document.at("spec", "dataFrom"))) > 1:
            reason = "its templates take members of several values, and it does not say which has which"
            hint = "list each member under data: its value as remoteRef.key, itself as remoteRef.property"
        return stays(document, f"stays as it is: {reason}", hint, place, omission)
    hint = "list what it takes under data, one entry for each key"
    return stays(document, "stays as it is: no key of it can be declared", hint, omission=omission)


def _sealed(candidates: Sequence[Document]) -> tuple[list[ImportedSecret], list[Staying]]:
    """Return SealedSecrets or Secrets of SOPS, whichever are more, with the plain Secrets, which can become either."""
    sealed = [document for document in candidates if document.subject.kind == "SealedSecret"]
    encrypted = [document for document in candidates if secrets.is_sops(document)]
    plain = [document for document in candidates if document not in sealed and document not in encrypted]
    imported, staying = [], []
    others = sealed if len(encrypted) > len(sealed) else encrypted
    staying += [stays(document, "stays as it is", _ANOTHER_BACKEND) for document in others]
    of_backend, more = _of_sops(encrypted) if others is sealed else _of_sealed(sealed)
    for secret in (*of_backend, *map(secrets.of_plain, plain)):
        if secret.keys:
            imported.append(secret)
        else:
            staying.append(stays(secret.document, "has no key to declare"))
    return imported, staying + more


def _of_sealed(sealed: Sequence[Document]) -> tuple[list[ImportedSecret], list[Staying]]:
    usual = _usual_scope(sealed)
    reason = "stays as it is: its scope is another than that of most"
    return (
        [secrets.of_sealed(document) for document in sealed if _scope_of(document) == usual],
        [stays(document, reason) for document in sealed if _scope_of(document) != usual],
    )


def _of_sops(encrypted: Sequence[Document]) -> tuple[list[ImportedSecret], list[Staying]]:
    imported, staying = [], []
    all_ = [secrets.of_sops(document) for document in encrypted]
    usual = Counter(secret.recipients for secret in all_ if secret.recipients).most_common(1)
    for secret in all_:
        if not secret.recipients:
            staying.append(stays(secret.document, "stays as it is: it is encrypted for no age recipient"))
        elif secret.recipients != usual[0][0]:
            reason = "stays as it is: it is encrypted for other recipients than most"
            staying.append(stays(secret.document, reason))
        else:
            imported.append(secret)
    return imported, staying


def _usual_scope(documents: Iterable[Document]) -> Scope:
    scopes = Counter(_scope_of(document) for document in documents if document.subject.kind == "SealedSecret")
    return scopes.most_common(1)[0][0] if scopes else "strict"


def _scope_of(sealed: Document) -> Scope:
    """Return the scope of a SealedSecret, however odd it is."""
    return sealedsecret.scope_of({"metadata": {"annotations": sealed.annotations}})


def _store(
    argument: EnvironmentArgument, external: Sequence[Document], collected: CollectedObjects, namespace: str
) -> StoreReading:
    """Return what is known of the store that most of the ExternalSecrets read."""
    if not external:
        return stores.read(None, argument.vault_url, ())
    usual = _usual_store(external)
    named = [
        document
        for document in collected.documents
        if document.group == OPERATOR
        and NamedStore(document.subject.kind, written_name(document)) == usual
        and _namespace_of(document) in ("", namespace)
    ]
    readers = [document for document in external if store_of(document) == usual]
    names = [name for document in readers for name in externalsecrets.remote_names(document)]
    return stores.read(named[0] if named else None, argument.vault_url, names)


def _by_name(imported: Iterable[ImportedSecret]) -> tuple[dict[str, ImportedSecret], list[Staying]]:
    """Return the Secrets by name, and those that several objects make: none of these is the whole Secret."""
    makers: dict[str, list[ImportedSecret]] = {}
    for secret in imported:
        makers.setdefault(secret.name, []).append(secret)
    staying = []
    for secrets_ in makers.values():
        for secret, other in zip(secrets_, [*secrets_[1:], secrets_[0]], strict=True):
            if secret is not other:
                reason = f"stays as it is: {title(other.document)} at {other.document.place()} makes the same Secret"
                staying.append(stays(secret.document, reason))
    return {name: secrets_[0] for name, secrets_ in makers.items() if len(secrets_) == 1}, staying
