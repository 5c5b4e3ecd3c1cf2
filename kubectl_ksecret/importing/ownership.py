"""Labels, annotations and references that controllers and deployers write: none of them belongs into a declaration."""

from collections.abc import Iterable, Iterator, Mapping

from ..objects.documents import Document, mapping, sequence

# Whoever deploys or makes an object marks it under these; a prefix ends in "/".
_CONTROLLERS = (
    *("kubectl.kubernetes.io/", "config.kubernetes.io/", "config.k8s.io/", "internal.config.kubernetes.io/"),
    *("kustomize.config.k8s.io/", "applyset.kubernetes.io/", "applyset.k8s.io/"),
    *("meta.helm.sh/", "helm.sh/"),
    *("argocd.argoproj.io/", "argocd-image-updater.argoproj.io/"),
    *("kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "toolkit.fluxcd.io/", "reconcile.fluxcd.io/"),
    *("fluxcd.io/", "event.toolkit.fluxcd.io/"),
    # data-hash is an unkeyed digest of the values: it must reach no file.
    *("reconcile.external-secrets.io/", "external-secrets.io/", "externalsecret.external-secrets.io/", "force-sync"),
    *("cert-manager.io/", "controller.cert-manager.io/", "acme.cert-manager.io/"),
    *("field.cattle.io/", "objectset.rio.cattle.io/", "management.cattle.io/", "cattle.io/"),
    *("kapp.k14s.io/", "velero.io/", "skaffold.dev/", "tanka.dev/", "pulumi.com/", "operators.coreos.com/"),
    *("reflector.v1.k8s.emberstack.com/reflected-version", "reflector.v1.k8s.emberstack.com/reflected-at"),
    *("replicator.v1.mittwald.de/replicated-at", "replicator.v1.mittwald.de/replicated-from-version"),
    *("replicator.v1.mittwald.de/replicated-keys", "reloader.stakater.com/last-reloaded-from"),
    "ksecret.dev/",
)
# Under a controller's prefix, and yet what a person asks of it.
_MEANT = (
    "argocd.argoproj.io/secret-type",  # Argo CD finds its repositories and clusters by this label
    "cert-manager.io/allow-direct-injection",
    "helm.sh/resource-policy",
)
# What a person asks of a deployer for the one manifest, and never for the Secret that it makes.
_OF_THE_MANIFEST = (
    *("argocd.argoproj.io/sync-wave", "argocd.argoproj.io/sync-options", "argocd.argoproj.io/compare-options"),
    *("argocd.argoproj.io/hook", "argocd.argoproj.io/hook-delete-policy"),
    *("kustomize.toolkit.fluxcd.io/prune", "kustomize.toolkit.fluxcd.io/ssa", "kustomize.toolkit.fluxcd.io/force"),
    *("kustomize.toolkit.fluxcd.io/reconcile", "kustomize.toolkit.fluxcd.io/substitute"),
)
# patch and skip-set-owner-references change what the controller does, so they are compared like any field.
SCOPES = ("sealedsecrets.bitnami.com/namespace-wide", "sealedsecrets.bitnami.com/cluster-wide")
_SEALED = (*SCOPES, "sealedsecrets.bitnami.com/managed")

_MANAGED_BY = "app.kubernetes.io/managed-by"
INSTANCE = "app.kubernetes.io/instance"
_DEPLOYERS = (
    *("helm", "tiller", "argocd", "argo-cd", "flux", "fluxcd", "kustomize-controller", "helm-controller", "kapp"),
    *("external-secrets", "external-secrets-operator", "sealed-secrets", "sealed-secrets-controller"),
    *("cert-manager", "reflector"),
)
# Helm's own before it used app.kubernetes.io; they say nothing where heritage does not.
_OLD_HELM = ("heritage", "chart", "release")

# Made by Kubernetes or Helm themselves, and read by nobody's workload.
_MADE_BY_OTHERS = ("kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token", "helm.sh/release.v1")
_COPIES = ("reflector.v1.k8s.emberstack.com/reflects", "replicator.v1.mittwald.de/replicate-from")


def of_secret(labels_or_annotations: object) -> dict[str, str]:
    """Return the labels or annotations of a Secret that a person meant; what is no text can't be carried over."""
    return dict(_without_controllers(labels_or_annotations, ()))


def of_manifest(labels_or_annotations: object) -> dict[str, str]:
    """Return the same of an object that makes a Secret, with what its author asks of a deployer."""
    return dict(_without_controllers(labels_or_annotations, _OF_THE_MANIFEST))


def _without_controllers(labels_or_annotations: object, asked: Iterable[str]) -> Iterator[tuple[str, str]]:
    texts = mapping(labels_or_annotations)
    deployed = _is_deployer(texts.get(_MANAGED_BY))
    old_helm = _is_deployer(texts.get("heritage"))
    for name, text in texts.items():
        is_text = isinstance(name, str) and isinstance(text, str)
        if not is_text:
            continue
        written_by_one = (
            name.startswith(_CONTROLLERS)
            or name in _SEALED
            or (deployed and name in (_MANAGED_BY, INSTANCE))
            or (old_helm and name in _OLD_HELM)
        )
        if not written_by_one or name in _MEANT or name in asked:
            yield name, text


def _is_deployer(text: object) -> bool:
    return isinstance(text, str) and text.lower() in _DEPLOYERS


def maker(document: Document) -> str:
    """Return who makes an object, as a message says it; empty where it is the team's own."""
    for reference in sequence(document.metadata.get("ownerReferences")):
        if mapping(reference).get("controller") is True:
            owner = mapping(reference)
            return f"the {owner.get('kind', 'object')} {owner.get('name', '')}".rstrip()
    if document.subject.kind != "Secret":
        return ""
    if document.object.get("type") in _MADE_BY_OTHERS:
        return f"whoever makes Secrets of type {document.object['type']}"
    copied = next((name for name in _COPIES if name in document.annotations), "")
    return f"whoever reads {copied}" if copied else ""


def common(mappings: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the labels or annotations that all of them have with one value."""
    shared: set[tuple[str, str]] | None = None
    for texts in mappings:
        shared = set(texts.items()) if shared is None else shared & set(texts.items())
    return dict(sorted(shared or ()))
