"""An argument of the command line read: the objects of one environment, and what of them can be imported."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from ..backends import sealedsecret
from ..errors import InputError, Mistake, Place, printable
from ..files.project import Project
from ..frozen import Record
from ..kustomize import building, layers
from ..model.kubernetes import OPERATOR, STORES, Object
from ..model.types.backends import Scope
from ..model.types.origin import pairs_of
from ..objects import documents
from ..objects.documents import KUSTOMIZATION_FILES, Document, Tree
from . import externalsecrets, kustomizations, secrets
from .externalsecrets import StoreReference, store_of
from .found import FoundSecret, called, written_name
from .kustomizations import Kustomization, Line

STANDARD_INPUT = "standard input"


class Argument(Record):
    """An environment as the user gives it; `text` is what was piped in, where the path is `-`."""

    name: str
    path: str
    text: str | None = None
    namespace: str | None = None
    vault_url: str | None = None


class Found(Record):
    """What one environment has. `stays` are the Secrets that it has and that are not imported, with the reason."""

    name: str
    namespace: str
    secrets: Mapping[str, FoundSecret]
    backend: Object | None  # of externalSecret, as the overlay says it; None for sealedSecret
    scope: Scope
    store: Document | None
    vault_url: str | None
    stays: Mapping[str, str]
    left: Sequence[Mistake]
    lines: Callable[[bool], Sequence[Line]]  # with those of the store, or without
    prefixed: Sequence[Place] = ()


class _Objects(Record):
    """All that an argument holds."""

    documents: Sequence[Document]
    tree: Tree
    kustomizations: Sequence[Kustomization]
    project: Project


def read(argument: Argument) -> Found:
    """One environment. Raises InputError where a file can't be read, or where too little is said."""
    objects = _objects(argument)
    namespace = _namespace(argument, objects.documents)
    here, left = _of_namespace(objects.documents, namespace)
    wanted = [each for each in here if _is_wanted(each)]
    left += [_stays(each, "is not imported") for each in here if _is_strange(each)]
    external = [each for each in wanted if each.subject.kind == "ExternalSecret"]
    if external:
        others = [each for each in wanted if each.subject.kind != "ExternalSecret"]
        found, stays, more = _external(external, others)
    else:
        found, stays, more = _sealed(wanted)
    left += more
    if not found:
        raise InputError(
            *left,
            Mistake(
                f"{argument.name}: {argument.path} holds nothing to import",
                hint="ExternalSecrets, SealedSecrets, Secrets and secretGenerator entries are imported",
            ),
        )
    store, url = _store(argument, found, here) if external else (None, None)
    return Found(
        name=argument.name,
        namespace=namespace,
        secrets=_by_name(argument, found),
        backend=_backend(found) if external else None,
        scope=_usual_scope([each.document for each in found]),
        store=store,
        vault_url=url,
        stays=stays,
        left=left,
        lines=lambda store_gone: _lines(objects, found, store if store_gone else None),
        prefixed=_prefixes(objects.kustomizations),
    )


def _objects(argument: Argument) -> _Objects:
    if argument.text is not None:
        project = Project(".")
        given = documents.read(argument.text, STANDARD_INPUT)
        return _Objects(documents=given, tree=Tree(project), kustomizations=[], project=project)
    path = os.path.realpath(argument.path)
    if os.path.basename(path) in KUSTOMIZATION_FILES and os.path.isfile(path):
        path = os.path.dirname(path)
    if not os.path.exists(path):
        raise kustomizations.missing(argument.path)
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    project = Project.around(folder)
    tree = Tree(project)
    built = path == folder and any(os.path.isfile(os.path.join(folder, name)) for name in KUSTOMIZATION_FILES)
    files = [path] if path != folder else [] if built else list(project.yaml_files(folder))
    folders = list(layers.read(project, folder)) if built else [folder, *map(os.path.dirname, files)]
    old = kustomizations.read(project, dict.fromkeys(folders))
    for file in (*files, *(each for one in old if built for each in kustomizations.files(one))):
        tree.documents(file)
    kustomizations.refuse_unreadable(tree)
    if built:
        instead = f"kubectl ksecret import {argument.name}=-"
        made = building.build(project, folder, tree, Place(project.name(folder)), instead)
        found = [each for each in made if not _is_generated(each)]
    else:
        found = [each for file in files for each in tree.documents(file)]
    if path == folder:
        above = kustomizations.namespace_of(old[0]) if built and old else ""
        found += kustomizations.generated(project, old, above)
    return _Objects(documents=found, tree=tree, kustomizations=old, project=project)


def _is_generated(document: Document) -> bool:
    return document.subject.kind == "Secret" and os.path.basename(document.file) in KUSTOMIZATION_FILES


def _namespace(argument: Argument, found: Iterable[Document]) -> str:
    if argument.namespace:
        return argument.namespace
    said = sorted({_namespace_of(each) for each in found if _is_wanted(each)} - {""})
    if len(said) == 1:
        return said[0]
    hint = f"say it: --namespace {argument.name}={said[0] if said else 'NAMESPACE'}"
    what = f"has Secrets in {', '.join(said)}; an overlay is of one namespace" if said else "says no namespace"
    raise InputError(Mistake(f"{argument.name}: {argument.path} {printable(what)}", hint=printable(hint)))


def _namespace_of(document: Document) -> str:
    found = document.metadata.get("namespace")
    return found if isinstance(found, str) else ""


def _of_namespace(found: Iterable[Document], namespace: str) -> tuple[list[Document], list[Mistake]]:
    here, left = [], []
    for each in found:
        if _namespace_of(each) in ("", namespace):
            here.append(each)
        elif _is_wanted(each):
            left.append(_stays(each, f"is in the namespace {printable(_namespace_of(each))}"))
    return here, left


def _is_wanted(document: Document) -> bool:
    """Whether it makes a Secret that can be declared; something without a name can't be."""
    known = {
        "ExternalSecret": OPERATOR,
        "SealedSecret": sealedsecret.GROUP,
        "Secret": "",
    }
    kind = document.subject.kind
    return kind in known and document.group == known[kind] and bool(document.subject.name)


def _is_strange(document: Document) -> bool:
    """Of External Secrets Operator, and nothing that is read here."""
    ours = document.group.endswith(OPERATOR)
    return ours and document.subject.kind not in ("ExternalSecret", *STORES)


def _stays(document: Document, why: str, hint: str = "") -> Mistake:
    return Mistake(f"{called(document)} {why}", document.place("kind"), hint)


def _external(
    external: Sequence[Document], others: Sequence[Document]
) -> tuple[list[FoundSecret], dict[str, str], list[Mistake]]:
    """The ExternalSecrets of the usual store; the rest stays, since an overlay has one backend and one store."""
    found, stays, left = [], {}, []
    (usual, _), *_ = Counter(map(store_of, external)).most_common(1)
    for each in external:
        secret = externalsecrets.secret_of(each)
        if store_of(each) != usual:
            why = "stays as it is: it reads another store than most"
            hint = "an overlay has one store; import it as an environment of its own"
            stays[secret.name] = "Stays an ExternalSecret of another store"
        elif not secret.keys:
            why = "stays as it is: no key of it can be declared"
            hint = "list what it takes under data, one entry for each key"
            stays[secret.name] = "Stays a hand-written ExternalSecret"
        else:
            found.append(secret)
            continue
        left.append(_stays(each, why, hint))
    for each in others:
        stays[written_name(each)] = f"Stays a {each.subject.kind}"
        hint = "an overlay has one backend; import its file as an environment of its own"
        left.append(_stays(each, "stays as it is", hint))
    return found, stays, left


def _sealed(wanted: Sequence[Document]) -> tuple[list[FoundSecret], dict[str, str], list[Mistake]]:
    found, stays, left = [], {}, []
    usual = _usual_scope(wanted)
    for each in wanted:
        is_sealed = each.subject.kind == "SealedSecret"
        secret = (secrets.of_sealed if is_sealed else secrets.of_plain)(each)
        why = "" if is_sealed else secrets.why_not(each)
        if is_sealed and scope_of(each) != usual:
            why = "stays as it is: its scope is another than that of most"
        if not why and secret.keys:
            found.append(secret)
            continue
        stays[secret.name] = f"Stays a {each.subject.kind}"
        left.append(_stays(each, why or "has no key to declare"))
    return found, stays, left


def _usual_scope(sealed: Iterable[Document]) -> Scope:
    """That of most SealedSecrets."""
    scopes = Counter(scope_of(each) for each in sealed if each.subject.kind == "SealedSecret")
    return scopes.most_common(1)[0][0] if scopes else "strict"


def scope_of(sealed: Document) -> Scope:
    """The scope of a SealedSecret, however odd it is."""
    return sealedsecret.scope_of({"metadata": {"annotations": sealed.annotations}})


def _store(argument: Argument, found: Sequence[FoundSecret], here: Iterable[Document]) -> tuple[Document | None, str]:
    """The store that is read, if it is among the objects, and its Key Vault."""
    usual = store_of(found[0].document)
    stores = [each for each in here if each.group == OPERATOR and _names(each) == usual]
    url = externalsecrets.vault_url(stores[0]) if stores else argument.vault_url
    if url is None:
        said = stores[0].place("spec", "provider") if stores else found[0].document.place("spec", "secretStoreRef")
        name = printable(usual.name)
        what = "reads no Azure Key Vault" if stores else "is not among these objects, so its Key Vault is not known"
        hint = f"import reads stores of azurekv alone; give its file too, or --vault-url {argument.name}=https://…"
        raise InputError(Mistake(f"{argument.name}: the {usual.kind} {name} {what}", said, hint))
    return (stores[0] if stores else None), url


def _names(store: Document) -> StoreReference:
    return StoreReference(store.subject.kind, written_name(store))


def _backend(found: Sequence[FoundSecret]) -> Object:
    store = store_of(found[0].document)
    kind = {} if store.kind == "SecretStore" else {"kind": store.kind}
    return externalsecrets.settings([each.document for each in found]) | {"store": {"name": store.name, **kind}}


def _by_name(argument: Argument, found: Iterable[FoundSecret]) -> dict[str, FoundSecret]:
    by_name: dict[str, FoundSecret] = {}
    mistakes = []
    for each in found:
        first = by_name.setdefault(each.name, each)
        if first is not each:
            hint = f"first at {first.document.place()}"
            mistakes.append(
                Mistake(f"{argument.name} has the Secret {printable(each.name)} twice", each.document.place(), hint)
            )
    if mistakes:
        raise InputError(*mistakes)
    return by_name


def _lines(objects: _Objects, found: Sequence[FoundSecret], store: Document | None) -> list[Line]:
    gone = [*(each.document for each in found), *([store] if store else [])]
    return list(kustomizations.lines(objects.kustomizations, objects.tree, gone))


def _prefixes(old: Iterable[Kustomization]) -> list[Place]:
    """Where the old kustomizations rename what they hold."""
    return [
        each.place(key) for each in old for key, _ in pairs_of(each.root) if key.value in ("namePrefix", "nameSuffix")
    ]
