"""The one table of the places in which Kubernetes objects name a Secret.

`reads` looks there, and `_references.yaml` has kustomize follow a rename into them. A path is written as in kustomize's
fieldSpecs: names with slashes between them, a slash in a name escaped, lists passed through.

kustomize looks at every path for every object of a build, and a path that names a kind costs next to nothing: 400
ExternalSecrets and 200 Deployments took 1.9 s without a table, 1.7 to 2.4 s with 260 paths that name a kind, and 3.1 s
with 40 that do not. So one place alone, that of most workloads, holds for every kind.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from ..model.kubernetes import ALIBABA, OPERATOR

How = Literal["env", "envFrom", "volume", "image pull", "tls", "other"]


class SecretField(NamedTuple):
    """A field, in objects of a kind, that names a Secret, or a list of them.

    `kind` is empty for every kind, `group` None for every group. What is read of the Secret stands in the field `key`
    beside it, the `items` of a volume beside it, or is `keys`; else it is everything. `only_kind` if the fields beside
    it say of what kind the object is. `namespace` is the field beside it that names a namespace. `is_path` where the
    text may be NAMESPACE/NAME. `follows` is False where kustomize must not or can't write another name.
    """

    kind: str
    path: str
    group: str | None = None
    key: str = ""
    keys: tuple[str, ...] = ()
    items: bool = False
    how: How = "other"
    namespace: str = "namespace"
    only_kind: bool = False
    is_path: bool = False
    elsewhere: bool = False
    follows: bool = True


TLS_KEYS = ("tls.crt", "tls.key")
_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_DRIVERS = ("flexVolume", "cephfs", "rbd", "iscsi", "scaleIO", "storageos")


class PodField(NamedTuple):
    """A field in the specification of a pod; most of them are no more than a detail of `SecretField`."""

    path: str
    how: How
    key: str = ""
    items: bool = False
    follows: bool = True


def _container(name: str) -> Iterator[PodField]:
    yield PodField(f"{name}/env/valueFrom/secretKeyRef/name", "env", key="key")
    yield PodField(f"{name}/envFrom/secretRef/name", "envFrom")


POD_FIELDS = (
    *(field for containers in _CONTAINERS for field in _container(containers)),
    PodField("imagePullSecrets/name", "image pull"),
    PodField("volumes/secret/secretName", "volume", items=True),
    PodField("volumes/projected/sources/secret/name", "volume", items=True),
    PodField("volumes/csi/nodePublishSecretRef/name", "volume"),
    # Drivers that hardly anybody has any more: read, but not worth a line in each _references.yaml.
    PodField("volumes/azureFile/secretName", "volume", follows=False),
    *(PodField(f"volumes/{driver}/secretRef/name", "volume", follows=False) for driver in _DRIVERS),
)
_WORKFLOW_FIELDS = (  # a template of Argo Workflows is no pod: it holds one container, or a script
    *(
        field._replace(path=f"templates/{field.path}")
        for name in ("container", "script", "containerSet/containers", "initContainers", "sidecars")
        for field in _container(name)
    ),
    PodField("templates/volumes/secret/secretName", "volume", items=True),
    PodField("volumes/secret/secretName", "volume", items=True),
    PodField("volumes/projected/sources/secret/name", "volume", items=True),
    PodField("imagePullSecrets/name", "image pull"),
)
_TASK_FIELDS = (  # Tekton
    *(field for name in ("steps", "sidecars", "stepTemplate") for field in _container(name)),
    PodField("volumes/secret/secretName", "volume", items=True),
    PodField("volumes/projected/sources/secret/name", "volume", items=True),
)

# Where kinds have the specification of their pods, but for spec/template/spec, where most have it. A pod is found in
# any place of any other kind; a row here has its references follow a rename, too.
USUAL_TEMPLATE = "spec/template/spec"
POD_TEMPLATES: dict[tuple[str | None, str], tuple[str, ...]] = {
    (None, "Pod"): ("spec",),
    (None, "PodTemplate"): ("template/spec",),
    (None, "CronJob"): ("spec/jobTemplate/spec/template/spec",),
    ("batch.volcano.sh", "Job"): ("spec/tasks/template/spec",),
    ("keda.sh", "ScaledJob"): ("spec/jobTargetRef/template/spec",),
    ("monitoring.coreos.com", "Prometheus"): ("spec",),
    ("monitoring.coreos.com", "Alertmanager"): ("spec",),
}
# What has workloads of a form of its own: where it stands, and the fields below.
WORKLOAD_FIELDS: dict[tuple[str | None, str], tuple[str, tuple[PodField, ...]]] = {
    ("argoproj.io", "Workflow"): ("spec", _WORKFLOW_FIELDS),
    ("argoproj.io", "WorkflowTemplate"): ("spec", _WORKFLOW_FIELDS),
    ("argoproj.io", "ClusterWorkflowTemplate"): ("spec", _WORKFLOW_FIELDS),
    ("argoproj.io", "CronWorkflow"): ("spec/workflowSpec", _WORKFLOW_FIELDS),
    ("tekton.dev", "Task"): ("spec", _TASK_FIELDS),
    ("tekton.dev", "ClusterTask"): ("spec", _TASK_FIELDS),
}


def _of(group: str | None, kinds: str, *fields: SecretField) -> Iterator[SecretField]:
    for kind in kinds.split():
        yield from (field._replace(kind=kind, group=group) for field in fields)


def _field(
    path: str,
    *,
    key: str = "",
    keys: tuple[str, ...] = (),
    how: How = "other",
    namespace: str = "namespace",
    only_kind: bool = False,
    is_path: bool = False,
    elsewhere: bool = False,
) -> SecretField:
    return SecretField(
        kind="",
        path=path,
        key=key,
        keys=keys,
        how=how,
        namespace=namespace,
        only_kind=only_kind,
        is_path=is_path,
        elsewhere=elsewhere,
        follows=not elsewhere,
    )


def _selectors(*paths: str) -> tuple[SecretField, ...]:
    """Return mappings of a name and a key, as SecretKeySelector is one."""
    return tuple(_field(f"{path}/name", key="key") for path in paths)


_NGINX = "nginx.ingress.kubernetes.io"
_INGRESS = (
    _field("spec/tls/secretName", keys=TLS_KEYS, how="tls"),
    *(
        _field(f"metadata/annotations/{prefix}\\/{name}", is_path=True)
        for prefix, name in (
            ("ingress.kubernetes.io", "auth-secret"),
            (_NGINX, "auth-secret"),
            (_NGINX, "auth-tls-secret"),
            (_NGINX, "proxy-ssl-secret"),
        )
    ),
)
_CSI_REFS = (
    "controllerPublishSecretRef",
    "controllerExpandSecretRef",
    "nodeStageSecretRef",
    "nodePublishSecretRef",
    "nodeExpandSecretRef",
)
_CSI_PARAMETERS = tuple(
    f"csi.storage.k8s.io\\/{use}-secret"
    for use in ("provisioner", "controller-publish", "controller-expand", "node-stage", "node-publish", "node-expand")
)
_PARAMETERS = (
    *(_field(f"parameters/{name}-name", namespace=f"{name}-namespace".replace("\\", "")) for name in _CSI_PARAMETERS),
    _field("parameters/secretName", namespace="secretNamespace"),
    _field("parameters/adminSecretName", namespace="adminSecretNamespace"),
    _field("parameters/userSecretName", namespace="userSecretNamespace"),
)
_ENDPOINT = (
    "basicAuth/username",
    "basicAuth/password",
    "bearerTokenSecret",
    "authorization/credentials",
    "oauth2/clientId/secret",
    "oauth2/clientSecret",
    "tlsConfig/ca/secret",
    "tlsConfig/cert/secret",
    "tlsConfig/keySecret",
)
_MONITORING = "monitoring.coreos.com"
_FLUX_SOURCE = (
    _field("spec/secretRef/name"),
    _field("spec/certSecretRef/name"),
    _field("spec/proxySecretRef/name"),
    _field("spec/verify/secretRef/name"),
)
# What an overlay renders of it is followed by its backend.
_ACCESS_KEY = tuple(
    _field(f"spec/KMS/KMSAuth/{name}/name", key="key")._replace(follows=False)
    for name in ("accessKey", "accessKeySecret")
)
_ISSUER = (  # of cert-manager
    _field("spec/ca/secretName", keys=TLS_KEYS),
    *_selectors(
        "spec/acme/externalAccountBinding/keySecretRef",
        "spec/acme/solvers/dns01/azureDNS/clientSecretSecretRef",
        "spec/acme/solvers/dns01/cloudflare/apiTokenSecretRef",
        "spec/acme/solvers/dns01/cloudflare/apiKeySecretRef",
        "spec/acme/solvers/dns01/route53/accessKeyIDSecretRef",
        "spec/acme/solvers/dns01/route53/secretAccessKeySecretRef",
        "spec/acme/solvers/dns01/cloudDNS/serviceAccountSecretRef",
        "spec/acme/solvers/dns01/digitalocean/tokenSecretRef",
        "spec/acme/solvers/dns01/rfc2136/tsigSecretSecretRef",
        "spec/acme/solvers/dns01/acmeDNS/accountSecretRef",
        "spec/acme/solvers/dns01/akamai/clientSecretSecretRef",
        "spec/acme/solvers/dns01/akamai/clientTokenSecretRef",
        "spec/acme/solvers/dns01/akamai/accessTokenSecretRef",
        "spec/vault/caBundleSecretRef",
        "spec/vault/auth/tokenSecretRef",
        "spec/vault/auth/appRole/secretRef",
        "spec/vault/auth/kubernetes/secretRef",
        "spec/venafi/cloud/apiTokenSecretRef",
    ),
    _field("spec/venafi/tpp/credentialsRef/name"),
)

REFERENCES = (
    *_of(None, "Ingress", *_INGRESS),
    *_of(
        "gateway.networking.k8s.io",
        "Gateway",
        _field("spec/listeners/tls/certificateRefs/name", how="tls", only_kind=True),
    ),
    *_of(None, "ServiceAccount", _field("imagePullSecrets/name", how="image pull"), _field("secrets/name")),
    *_of(
        "",
        "PersistentVolume",
        _field("spec/azureFile/secretName", namespace="secretNamespace"),
        *(_field(f"spec/csi/{reference}/name") for reference in _CSI_REFS),
        *(_field(f"spec/{driver}/secretRef/name") for driver in _DRIVERS),
    ),
    *_of("storage.k8s.io", "StorageClass", *_PARAMETERS),
    *_of(
        "snapshot.storage.k8s.io",
        "VolumeSnapshotClass",
        _field(
            "parameters/csi.storage.k8s.io\\/snapshotter-secret-name",
            namespace="csi.storage.k8s.io/snapshotter-secret-namespace",
        ),
    ),
    *_of(ALIBABA, "SecretStore", *_ACCESS_KEY),
    *_of(OPERATOR, "PushSecret", _field("spec/selector/secret/name")),
    *_of(OPERATOR, "ExternalSecret", _field("spec/target/template/templateFrom/secret/name")._replace(items=True)),
    *_of(
        "cert-manager.io",
        "Certificate",
        *_selectors("spec/keystores/jks/passwordSecretRef", "spec/keystores/pkcs12/passwordSecretRef"),
    ),
    *_of("cert-manager.io", "Issuer", *_ISSUER),
    # What a ClusterIssuer reads lies beside cert-manager itself, in a namespace that it does not name.
    *_of("cert-manager.io", "ClusterIssuer", *(field._replace(elsewhere=True, follows=False) for field in _ISSUER)),
    *_of("keda.sh", "TriggerAuthentication", *_selectors("spec/secretTargetRef")),
    *_of(
        "keda.sh",
        "ClusterTriggerAuthentication",
        *(field._replace(elsewhere=True, follows=False) for field in _selectors("spec/secretTargetRef")),
    ),
    *_of(
        "helm.toolkit.fluxcd.io",
        "HelmRelease",
        _field("spec/valuesFrom/name", key="valuesKey", only_kind=True),
        _field("spec/kubeConfig/secretRef/name"),
    ),
    *_of(
        "kustomize.toolkit.fluxcd.io",
        "Kustomization",
        _field("spec/postBuild/substituteFrom/name", only_kind=True),
        _field("spec/decryption/secretRef/name"),
        _field("spec/kubeConfig/secretRef/name"),
    ),
    *_of("source.toolkit.fluxcd.io", "GitRepository HelmRepository OCIRepository Bucket HelmChart", *_FLUX_SOURCE),
    *_of("image.toolkit.fluxcd.io", "ImageRepository", *_FLUX_SOURCE),
    *_of("notification.toolkit.fluxcd.io", "Provider Receiver", *_FLUX_SOURCE),
    *_of(
        _MONITORING,
        "ServiceMonitor",
        *_selectors(*(f"spec/endpoints/{field}" for field in _ENDPOINT)),
    ),
    *_of(_MONITORING, "PodMonitor", *_selectors(*(f"spec/podMetricsEndpoints/{field}" for field in _ENDPOINT))),
    *_of(_MONITORING, "Probe ScrapeConfig", *_selectors(*(f"spec/{field}" for field in _ENDPOINT))),
    *_of(
        _MONITORING,
        "Prometheus",
        *_selectors(
            "spec/additionalScrapeConfigs", "spec/additionalAlertManagerConfigs", "spec/additionalAlertRelabelConfigs"
        ),
        *_selectors(*(f"spec/remoteWrite/{field}" for field in _ENDPOINT)),
        _field("spec/secrets"),
    ),
    *_of(_MONITORING, "Alertmanager", _field("spec/configSecret"), _field("spec/secrets")),
    *_of(
        "traefik.io",
        "IngressRoute IngressRouteTCP",
        _field("spec/tls/secretName", keys=TLS_KEYS, how="tls"),
    ),
    *_of("traefik.io", "Middleware", _field("spec/basicAuth/secret"), _field("spec/digestAuth/secret")),
    *_of(
        "projectcontour.io",
        "HTTPProxy",
        _field("spec/virtualhost/tls/secretName", keys=TLS_KEYS, how="tls", is_path=True),
    ),
    # Istio looks beside the gateway's own pods, which may run in any namespace.
    *_of("networking.istio.io", "Gateway", _field("spec/servers/tls/credentialName", elsewhere=True)),
    *_of(
        "postgresql.cnpg.io",
        "Cluster",
        _field("spec/bootstrap/initdb/secret/name"),
        _field("spec/superuserSecret/name"),
        _field("spec/managed/roles/passwordSecret/name"),
        _field("spec/imagePullSecrets/name", how="image pull"),
        *_selectors(
            "spec/externalClusters/password",
            "spec/backup/barmanObjectStore/s3Credentials/accessKeyId",
            "spec/backup/barmanObjectStore/s3Credentials/secretAccessKey",
            "spec/backup/barmanObjectStore/azureCredentials/connectionString",
            "spec/backup/barmanObjectStore/azureCredentials/storageKey",
            "spec/backup/barmanObjectStore/azureCredentials/storageSasToken",
        ),
    ),
    *_of(
        "secrets.infisical.com",
        "InfisicalSecret",
        _field("spec/authentication/universalAuth/credentialsRef/secretName", namespace="secretNamespace"),
        _field("spec/authentication/serviceToken/serviceTokenSecretReference/secretName", namespace="secretNamespace"),
        _field("spec/tokenSecretReference/secretName", namespace="secretNamespace"),
    ),
    *_of("secrets.doppler.com", "DopplerSecret", _field("spec/tokenSecret/name", key="key")),
    *_of("k8s.bitwarden.com", "BitwardenSecret", _field("spec/authToken/secretName", key="secretKey")),
)

# Fields that may name objects of other kinds too: a rename is followed into them, but nothing is read there.
MENTIONED = (
    SecretField("Role", "rules/resourceNames"),
    SecretField("ClusterRole", "rules/resourceNames"),
    SecretField("StorageClass", "parameters/secretRef"),
)


def read_by(group: str, kind: str) -> tuple[SecretField, ...]:
    """Return the rows of the table that are of a kind."""
    return tuple(row for row in _BY_KIND.get(kind, ()) if row.group in (None, group))


def pod_references() -> Iterator[SecretField]:
    """Yield the fields of pods as kustomize has to follow them, wherever kinds have their pods."""
    places: list[tuple[str, str | None, str, tuple[PodField, ...]]] = [("", None, USUAL_TEMPLATE, POD_FIELDS)]
    for (group, owner), paths in POD_TEMPLATES.items():
        places += [(owner, group, path, POD_FIELDS) for path in paths]
    for (group, owner), (path, fields) in WORKLOAD_FIELDS.items():
        places.append((owner, group, path, fields))
    for owner, group, path, fields in places:
        for field in fields:
            yield SecretField(
                kind=owner,
                group=group,
                path=f"{path}/{field.path}",
                key=field.key,
                items=field.items,
                how=field.how,
                follows=field.follows,
            )


def followed() -> Iterator[SecretField]:
    """Yield every field into which kustomize has to follow the rename of what stands for a Secret."""
    for reference in (*pod_references(), *REFERENCES, *MENTIONED):
        # A template has no ephemeral containers; those of Kubernetes' own kinds could, so its schema allows them.
        never = "/ephemeralContainers/" in reference.path and reference.group is not None
        if reference.follows and not never and reference.kind not in ("ExternalSecret", *_CLUSTER_SCOPED):
            yield reference


# Objects without a namespace: kustomize follows a name within one namespace alone.
_CLUSTER_SCOPED = ("ClusterTask", "ClusterWorkflowTemplate")


_BY_KIND: dict[str, list[SecretField]] = {}
for _reference in (*REFERENCES, *(row for row in pod_references() if row.kind)):
    _BY_KIND.setdefault(_reference.kind, []).append(_reference)
GROUPS = frozenset(row.group for row in REFERENCES if row.group) | frozenset(
    group for group, _ in (*POD_TEMPLATES, *WORKLOAD_FIELDS) if group
)
