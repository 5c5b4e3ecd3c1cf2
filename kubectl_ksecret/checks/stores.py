"""The stores that External Secrets Operator reads: are they there, and can they sign in?"""

from collections.abc import Iterator, Sequence

from ..backends.stores.azurekv import CLIENT_ID, TENANT_ID
from ..errors import Place, nearest, with_article
from ..model.kubernetes import OPERATOR, STORES
from ..model.resolution import Environment
from ..model.types.backends import ExternalSecret, KubernetesSignIn, VaultSecretsOperator
from ..model.types.stores import Store
from ..objects.documents import Document, Path, dotted, mapping
from ..objects.reads import store_references
from . import Finding, Severity, rule
from .objects import once
from .scope import Build, Repository

_AZURE: Path = ("spec", "provider", "azurekv")
_ACCOUNT: Path = (*_AZURE, "serviceAccountRef")
_ACCOUNT_OF_VAULT: Path = ("spec", "provider", "vault", "auth", "kubernetes", "serviceAccountRef")
_ACCOUNT_OF_SIGN_IN: Path = ("spec", "kubernetes", "serviceAccount")
_DEFAULT = "default"  # the ServiceAccount that every namespace has


@rule("store-identity", "error")
def store_identity(repository: Repository) -> Iterator[Finding]:
    """The ServiceAccount with which a store signs in is missing, or does not say who it is, or says it twice.

    The store is never ready, and no Secret comes to be. Put the ServiceAccount into the build. For Azure Key Vault it
    needs the annotations azure.workload.identity/client-id and tenant-id; a client or tenant that the store names must
    not stand there too. A store of Vault signs in with the ServiceAccount alone, and so does the VaultAuth of an
    overlay of Vault Secrets Operator.
    """
    yield from once(fault for root in repository.builds for fault in _of_root(repository, root))


def _of_root(repository: Repository, root: Build) -> Iterator[Finding]:
    for store in _stores(root):
        azure = _azure(store)
        if azure.get("authType") == "WorkloadIdentity":
            yield from _of_store(repository, root, store, _ACCOUNT)
        yield from _of_store(repository, root, store, _ACCOUNT_OF_VAULT)
    for environment in root.environments:
        yield from _of_sign_in(repository, root, environment)


def _stores(root: Build) -> list[Document]:
    return [document for document in root.objects if document.subject.kind in STORES and document.group == OPERATOR]


def _azure(store: Document) -> dict[str, object]:
    return mapping(mapping(mapping(store.object.get("spec")).get("provider")).get("azurekv"))


def _of_store(repository: Repository, root: Build, store: Document, path: Path) -> Iterator[Finding]:
    """Look for the ServiceAccount that a store names at a path."""
    subject, reference = store.subject, _below(store.object, path)
    name, text = reference.get("name"), reference.get("namespace")
    if not isinstance(name, str):
        return
    where = str(text or "") if subject.kind == "ClusterSecretStore" else subject.namespace
    place, overlay = _named_at(root, store, path)
    if subject.kind == "SecretStore" and text not in (None, "", subject.namespace) and subject.namespace:
        message = f"SecretStore {subject.name} names a ServiceAccount of another namespace than its own"
        field = (*path, "namespace")
        yield Finding(
            message=message,
            place=store.place(*field),
            hint="remove the namespace",
            subject=subject,
            field=dotted(field),
            overlay=overlay,
        )
        return
    accounts = [account for account in _accounts(repository) if _lies_in(account, where)]
    account = next((account for account in accounts if account.subject.name == name), None)
    if account is not None and path == _ACCOUNT:
        yield from _of_account(root, store, account, overlay)
    if account is not None or (path == _ACCOUNT_OF_VAULT and name == _DEFAULT):
        return
    elsewhere = where and not any(_lies_in(document, where) for document in root.objects if document.subject.namespace)
    annotations = ", with the annotations of its workload identity" if path == _ACCOUNT else ""
    finding = _lacking(store, name, [account.subject.name for account in accounts], annotations)
    if elsewhere:
        finding = finding.but(milder="note", hint=nearest(name, [account.subject.name for account in accounts]))
    yield finding.but(place=place, field=dotted((*path, "name")), overlay=overlay)


def _of_sign_in(repository: Repository, root: Build, environment: Environment) -> Iterator[Finding]:
    """Look for the ServiceAccount of a VaultAuth that an overlay renders; one that exists serves other namespaces."""
    spec = environment.backend
    auth = spec.auth if isinstance(spec, VaultSecretsOperator) else None
    if not isinstance(auth, KubernetesSignIn) or auth.service_account_name == _DEFAULT:
        return
    folder = environment.project.name(environment.path("manifests"))
    for document in root.objects:
        if document.subject.kind != "VaultAuth" or not document.file.startswith(f"{folder}/"):
            continue
        accounts = (account for account in _accounts(repository) if _lies_in(account, document.subject.namespace))
        names = [account.subject.name for account in accounts]
        if document.at(*_ACCOUNT_OF_SIGN_IN) not in names:
            place, field = auth.origin.at("serviceAccountName"), dotted(_ACCOUNT_OF_SIGN_IN)
            finding = _lacking(document, auth.service_account_name, names)
            yield finding.but(place=place, field=field, overlay=environment.name)


def _lacking(document: Document, name: str, others: Sequence[str], annotations: str = "") -> Finding:
    """Return that nobody has the name with which an object signs in."""
    subject = document.subject
    return Finding(
        message=f"{subject.kind} {subject.name} signs in as ServiceAccount {name}, which is not in the build",
        hint=nearest(name, others) or f"add it to the kustomization{annotations}",
        subject=subject,
    )


def _accounts(repository: Repository) -> Iterator[Document]:
    for root in repository.builds:
        yield from (
            document for document in root.objects if document.subject.kind == "ServiceAccount" and not document.group
        )


def _lies_in(document: Document, namespace: str) -> bool:
    """Whether it does, or may: who applies an object without a namespace says where it goes."""
    return not namespace or document.subject.namespace in ("", namespace)


def _below(object_: object, path: Path) -> dict[str, object]:
    for name in path:
        object_ = mapping(object_).get(str(name))
    return mapping(object_)


def _named_at(root: Build, store: Document, path: Path) -> tuple[Place, str]:
    """Return where the ServiceAccount was named: in the overlay of a store that is rendered, else in the store."""
    for environment in root.environments:
        text = _rendered_store(environment)
        rendered_into = environment.project.name(environment.path("manifests"))
        if text and text.auth and text.auth.account_name and store.file.startswith(f"{rendered_into}/"):
            return text.auth.origin.at("serviceAccountName"), environment.name
    return store.place(*path, "name"), ""


def _rendered_store(environment: Environment) -> Store | None:
    backend = environment.backend
    return backend.store if isinstance(backend, ExternalSecret) and backend.store.auth else None


def _of_account(root: Build, store: Document, account: Document, overlay: str) -> Iterator[Finding]:
    """Check who signs in, from where: each must stand once, by the store or by the ServiceAccount."""
    azure = _azure(store)
    credentials = mapping(azure.get("authSecretRef"))
    clients: list[Path] = [("authSecretRef", "clientId")] if credentials.get("clientId") else []
    clients += [("clientId",)] if azure.get("clientId") else []
    tenants: list[Path] = [("tenantId",)] if azure.get("tenantId") else []
    tenants += [("authSecretRef", "tenantId")] if credentials.get("tenantId") else []
    named = f"{store.subject.kind} {store.subject.name}"
    for annotation, by_store in ((CLIENT_ID, clients), (TENANT_ID, tenants)):
        on_account = bool(account.annotations.get(annotation))
        field: Path = ("metadata", "annotations", annotation)
        if on_account and by_store:
            what = annotation.rpartition("/")[2]
            message = f"{named} says its {what} twice: here, and on ServiceAccount {account.subject.name}"
            where = (*_AZURE, *by_store[0])
            yield Finding(
                message=message,
                place=store.place(*where),
                hint="remove one of the two",
                subject=store.subject,
                field=dotted(where),
                overlay=overlay,
            )
        elif not on_account and not by_store:
            message = f"ServiceAccount {account.subject.name}, with which {named} signs in, has no {annotation}"
            hint = f"add the annotation {annotation}"
            # The operator's own pod may have a tenant to fall back on.
            severity: Severity | None = None if annotation == CLIENT_ID else "warning"
            place = account.key(*(field if annotation in account.annotations else field[:-1]))
            yield Finding(
                message=message,
                place=place,
                hint=hint,
                subject=account.subject,
                field=dotted(field),
                overlay=overlay,
                milder=severity,
            )


@rule("store-missing", "note")
def store_missing(repository: Repository) -> Iterator[Finding]:
    """An ExternalSecret reads a store that is not in the build, though a store of the overlay or of a near name is.

    It waits for the store in vain, unless it exists already. Correct the name, or add the store.
    """
    yield from once(fault for root in repository.builds for fault in _missing(root))


def _missing(root: Build) -> Iterator[Finding]:
    stores = {(store.subject.kind, store.subject.name) for store in _stores(root)}
    own = {text.kind for environment in root.environments if (text := _rendered_store(environment))}
    for document in root.objects:
        if document.subject.kind != "ExternalSecret" or document.group != OPERATOR:
            continue
        for path, kind, name in store_references(document.object):
            hint = nearest(name, [other for of_kind, other in stores if of_kind == kind])
            if other_kinds := [kind for kind in STORES if (kind, name) in stores]:
                hint = f"the one in the build is {with_article(other_kinds[0])}"
            if (kind, name) not in stores and (hint or (kind in own and kind == "SecretStore")):
                message = f"ExternalSecret {document.subject.name} reads {kind} {name}, which is not in the build"
                yield Finding(
                    message=message,
                    place=document.place(*path, "name"),
                    hint=hint,
                    subject=document.subject,
                    field=dotted((*path, "name")),
                )


RULES = (store_identity, store_missing)
