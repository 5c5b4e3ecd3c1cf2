"""_references.yaml: kustomize's nameReference for what stands for a Secret.

Kustomize follows a rename (namePrefix, nameSuffix) of kind Secret by itself. With this file it follows that of an
ExternalSecret or SealedSecret into every place that names a Secret, that of a SecretStore into the ExternalSecrets,
and that of a ServiceAccount into the SecretStore. A path without a kind holds for every kind.
"""

FILE = "_references.yaml"

_POD = (
    "containers/env/valueFrom/secretKeyRef/name",
    "containers/envFrom/secretRef/name",
    "initContainers/env/valueFrom/secretKeyRef/name",
    "initContainers/envFrom/secretRef/name",
    "ephemeralContainers/env/valueFrom/secretKeyRef/name",
    "ephemeralContainers/envFrom/secretRef/name",
    "imagePullSecrets/name",
    "volumes/secret/secretName",
    "volumes/projected/sources/secret/name",
    "volumes/csi/nodePublishSecretRef/name",
)
_POD_SPECS = ("spec", "template/spec", "spec/template/spec", "spec/jobTemplate/spec/template/spec")
_OTHERS = (
    ("Ingress", "spec/tls/secretName"),
    ("Ingress", "metadata/annotations/ingress.kubernetes.io\\/auth-secret"),
    ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-secret"),
    ("Ingress", "metadata/annotations/nginx.ingress.kubernetes.io\\/auth-tls-secret"),
    ("ServiceAccount", "imagePullSecrets/name"),
    ("ServiceAccount", "secrets/name"),
    ("Role", "rules/resourceNames"),
)
_STORE_SECRETS = tuple(
    ("SecretStore", f"spec/provider/azurekv/authSecretRef/{credential}/name")
    for credential in ("clientId", "clientSecret")
)
_STANDS_FOR_A_SECRET = (("ExternalSecret", "external-secrets.io"), ("SealedSecret", "bitnami.com"))


def _reference(kind: str, group: str, paths: tuple[tuple[str, str], ...]) -> str:
    lines = [f"- kind: {kind}"]
    lines += [f"  group: {group}"] if group else []
    lines.append("  fieldSpecs:")
    for owner, path in paths:
        lines.append(f"  - path: {path}")
        lines += [f"    kind: {owner}"] if owner else []
    return "\n".join(lines)


def _text() -> str:
    secrets = tuple(("", f"{spec}/{path}") for spec in _POD_SPECS for path in _POD) + _OTHERS + _STORE_SECRETS
    blocks = [_reference(kind, group, secrets) for kind, group in _STANDS_FOR_A_SECRET]
    blocks.append(_reference("Secret", "", _STORE_SECRETS))
    blocks.append(_reference("SecretStore", "external-secrets.io", (("ExternalSecret", "spec/secretStoreRef/name"),)))
    store = (("SecretStore", "spec/provider/azurekv/serviceAccountRef/name"),)
    blocks.append(_reference("ServiceAccount", "", store))
    return "\n".join(["nameReference:", *blocks, ""])


TEXT = _text()
