"""Who makes which Secret, and who reads one: the kinds of many operators, each beside a neighbour that does not."""

from typing import Any

import pytest
import yaml

from kubectl_ksecret.objects.documents import Document
from kubectl_ksecret.objects.producers import produced_by
from kubectl_ksecret.objects.reads import reads


def document(version_and_kind: str, name: str = "shop", annotations: Any = None, **fields: Any) -> Document:
    """An object."""
    version, kind = version_and_kind.split()
    metadata = {"name": name, "namespace": "ns", **({"annotations": annotations} if annotations else {})}
    return Document("a.yaml", None, {"apiVersion": version, "kind": kind, "metadata": metadata, **fields})


def spec(text: str) -> dict[str, Any]:
    """A specification, from YAML."""
    return {"spec": yaml.safe_load(text)}


SERVING = {"service.beta.openshift.io/serving-cert-secret-name": "made"}
PRODUCERS = {
    "isindir.github.com/v1alpha3 SopsSecret": (
        spec("secretTemplates: [{name: one, stringData: {a: x}}, {name: two, data: {b: x}}]"),
        {"one": {"a"}, "two": {"b"}},
    ),
    "postgresql.cnpg.io/v1 Cluster": (
        spec("{}"),
        dict.fromkeys(f"shop-{each}" for each in ("app", "superuser", "ca", "server", "replication")),
    ),
    "database.example.org/v1 Anything": (
        spec("writeConnectionSecretToRef: {name: made, namespace: other}"),
        {"made": None},
    ),
    "secrets.infisical.com/v1alpha1 InfisicalSecret": (
        spec("managedSecretReference: {secretName: made, secretNamespace: other}"),
        {"made": None},
    ),
    "secrets.doppler.com/v1alpha1 DopplerSecret": (spec("managedSecret: {name: made}"), {"made": None}),
    "k8s.bitwarden.com/v1 BitwardenSecret": (spec("secretName: made"), {"made": None}),
    "spv.no/v2beta1 AzureKeyVaultSecret": (spec("output: {secret: {name: made, dataKey: a}}"), {"made": {"a"}}),
    "cert-manager.io/v1 Certificate": (spec("secretName: made"), {"made": None}),
    "cert-manager.io/v1 Issuer": (spec("acme: {privateKeySecretRef: {name: made}}"), {"made": None}),
    "v1 Service": ({"annotations": SERVING}, {"made": {"tls.crt", "tls.key"}}),
    "v1 ServiceAccount": (
        {"secrets": [{"name": "shop-token-x2k9z"}, {"name": "by-hand"}]},
        {"shop-token-x2k9z": None},
    ),
    "secrets-store.csi.x-k8s.io/v1 SecretProviderClass": (
        spec("secretObjects: [{secretName: made, data: [{key: a, objectName: b}]}]"),
        {"made": {"a"}},
    ),
    "rabbitmq.com/v1beta1 RabbitmqCluster": (spec("{}"), {"shop-default-user": None, "shop-erlang-cookie": None}),
    "external-secrets.io/v1 ExternalSecret": (
        spec("target: {manifest: {apiVersion: v1, kind: ConfigMap}}\ndata: [{secretKey: a}]"),
        {},
    ),
    "example.org/v1 Cluster": (spec("{secretName: none}"), {}),
}


@pytest.mark.parametrize("kind", PRODUCERS)
def test_operators_make_secrets(kind: str) -> None:
    """By the names that they give them, with the keys that are known."""
    fields, expected = PRODUCERS[kind]
    made = {secret.name: secret.keys for secret in produced_by(document(kind, **fields))}
    assert made == expected


POD = "{containers: [{name: a, image: a:1, envFrom: [{secretRef: {name: SECRET}}]}]}"
READERS = {
    "apps.kruise.io/v1alpha1 CloneSet": f"template: {{spec: {POD}}}",
    "serving.knative.dev/v1 Service": f"template: {{spec: {POD}}}",
    "argoproj.io/v1alpha1 Rollout": f"template: {{spec: {POD}}}",
    "batch.volcano.sh/v1alpha1 Job": f"tasks: [{{template: {{spec: {POD}}}}}]",
    "kubeflow.org/v1 PyTorchJob": f"pytorchReplicaSpecs: {{Worker: {{template: {{spec: {POD}}}}}}}",
    "argoproj.io/v1alpha1 Workflow": "templates: [{container: {image: a, envFrom: [{secretRef: {name: SECRET}}]}}]",
    "argoproj.io/v1alpha1 CronWorkflow": "workflowSpec: {volumes: [{secret: {secretName: SECRET}}]}",
    "keda.sh/v1alpha1 TriggerAuthentication": "secretTargetRef: [{parameter: a, name: SECRET, key: a}]",
    "keda.sh/v1alpha1 ScaledJob": f"jobTargetRef: {{template: {{spec: {POD}}}}}",
    "helm.toolkit.fluxcd.io/v2 HelmRelease": "valuesFrom: [{kind: ConfigMap, name: a}, {kind: Secret, name: SECRET}]",
    "monitoring.coreos.com/v1 ServiceMonitor": "endpoints: [{basicAuth: {password: {name: SECRET, key: a}}}]",
    "monitoring.coreos.com/v1 PodMonitor": "podMetricsEndpoints: [{bearerTokenSecret: {name: SECRET, key: a}}]",
    "v1 PersistentVolume": "csi: {nodeStageSecretRef: {name: SECRET, namespace: ns}}",
    "external-secrets.io/v1alpha1 PushSecret": "selector: {secret: {name: SECRET}}",
    "cert-manager.io/v1 Issuer": (
        "acme: {solvers: [{dns01: {cloudflare: {apiTokenSecretRef: {name: SECRET, key: a}}}}]}"
    ),
    "batch/v1 CronJob": f"jobTemplate: {{spec: {{template: {{spec: {POD}}}}}}}",
}


@pytest.mark.parametrize("kind", READERS)
def test_operators_read_secrets(kind: str) -> None:
    """In pods of any kind, and in the fields of common operators; a ConfigMap beside it is none."""
    found = list(reads(document(kind, **spec(READERS[kind].replace("SECRET", "wanted")))))
    assert {(read.secret, read.namespace) for read in found} == {("wanted", "ns")}
    assert all(read.certain and not read.elsewhere for read in found)


def test_a_storage_class_names_its_secrets_in_parameters() -> None:
    """With their namespaces; what the provisioner fills in is nobody's name."""
    parameters = {
        "csi.storage.k8s.io/provisioner-secret-name": "wanted",
        "csi.storage.k8s.io/provisioner-secret-namespace": "storage",
        "csi.storage.k8s.io/node-stage-secret-name": "${pvc.name}",
    }
    found = list(reads(document("storage.k8s.io/v1 StorageClass", parameters=parameters)))
    assert [(read.secret, read.namespace) for read in found] == [("wanted", "storage")]


@pytest.mark.parametrize(
    "kind",
    ["external-secrets.io/v1 ClusterSecretStore", "cert-manager.io/v1 ClusterIssuer"],
)
def test_what_a_cluster_wide_object_reads_lies_elsewhere(kind: str) -> None:
    """Without a namespace nobody can say where it has to be."""
    text = "{provider: {vault: {auth: {tokenSecretRef: {name: a, key: b}}}}, ca: {secretName: a}}"
    assert all(read.elsewhere for read in reads(document(kind, **spec(text))))


def test_an_unknown_operator_reads_for_certain_only_in_its_pods() -> None:
    """A reference outside of a pod may be one, or may name what the operator makes."""
    text = f"{{pod: {POD.replace('SECRET', 'sure')}, user: {{secretKeyRef: {{name: unsure, key: a}}}}}}"
    found = {read.secret: read.certain for read in reads(document("example.org/v1 Thing", **spec(text)))}
    assert found == {"sure": True, "unsure": False}
