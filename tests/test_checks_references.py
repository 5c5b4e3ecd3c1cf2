"""Who reads which Secret, and what provides it, in all the places that Kubernetes and its operators have."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_ksecret.checks import Finding, references, restart, waves
from kubectl_ksecret.kustomize import layers
from kubectl_ksecret.model.kubernetes import Subject
from kubectl_ksecret.model.resolution import Environment

from .landscapes import VAULT, environment, expected, fetched, found, lines
from .projects import Project

MISSING = (references.missing_secret, references.missing_key)
ALL = (*references.RULES, *waves.RULES, *restart.RULES)


@pytest.fixture(name="project")
def _project(tmp_path: Path) -> Project:
    """Declares a Secret `app` with a key `password`."""
    project = Project(tmp_path)
    project.declare("app", {"password": {}})
    return project


@pytest.fixture(name="shop")
def _shop(project: Project) -> Environment:
    """An overlay of it."""
    return environment(project)


PLACES = """
containers:
- name: one
  env:
  - name: A
    valueFrom: {secretKeyRef: {name: app, key: password}}
  - name: B
    valueFrom: {secretKeyRef: {name: app, key: gone}}  # missing-key
  - name: C
    valueFrom: {secretKeyRef: {name: gone, key: password}}  # missing-secret
  envFrom:
  - secretRef: {name: app}
  - secretRef: {name: gone}  # missing-secret
  - configMapRef: {name: gone}
initContainers:
- name: two
  env:
  - name: A
    valueFrom:
      secretKeyRef:
        name: app
        key: gone  # missing-key
ephemeralContainers:
- name: three
  envFrom:
  - secretRef: {name: gone}  # missing-secret
volumes:
- name: a
  secret: {secretName: gone}  # missing-secret
- name: b
  secret:
    secretName: app
    items:
    - {key: password, path: password}
    - {key: gone, path: gone}  # missing-key
- name: c
  projected:
    sources:
    - configMap: {name: gone}
    - secret: {name: gone}  # missing-secret
    - secret:
        name: app
        items:
        - {key: gone, path: gone}  # missing-key
- name: d
  csi:
    driver: secrets-store.csi.k8s.io
    nodePublishSecretRef: {name: gone}  # missing-secret
- name: e
  azureFile: {secretName: gone, shareName: share}  # missing-secret
- name: f
  emptyDir: {}
imagePullSecrets:
- name: app
- name: gone  # missing-secret
"""
TEMPLATES = {
    "apps/v1 Deployment": ("spec", "template", "spec"),
    "apps/v1 StatefulSet": ("spec", "template", "spec"),
    "apps/v1 DaemonSet": ("spec", "template", "spec"),
    "apps/v1 ReplicaSet": ("spec", "template", "spec"),
    "batch/v1 Job": ("spec", "template", "spec"),
    "batch/v1 CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "v1 Pod": ("spec",),
    "argoproj.io/v1alpha1 Rollout": ("spec", "template", "spec"),
}


def workload(kind: str, pod: str) -> str:
    """An object of this kind, around the specification of its pods."""
    version, name = kind.split()
    text = f"apiVersion: {version}\nkind: {name}\nmetadata: {{name: reader, namespace: shop}}\n"
    for depth, field in enumerate(TEMPLATES[kind]):
        text += f"{'  ' * depth}{field}:\n"
    indent = "  " * len(TEMPLATES[kind])
    return text + "".join(f"{indent}{line}\n" for line in pod.strip().splitlines())


def of(key: str, kind: str = "v1 Pod", secret: str = "app") -> str:
    """A workload that reads one key; the finding is expected by who calls this."""
    return workload(kind, f"containers: [{{env: [{{valueFrom: {{secretKeyRef: {{name: {secret}, key: {key}}}}}}}]}}]")


def distinct(build: str) -> str:
    """The same with a name of its own for each Secret that is missing: one finding tells of all that read one."""
    lines = enumerate(build.splitlines(keepends=True))
    return "".join(re.sub(r"\bgone\b(?=.*# missing-secret)", f"gone-{number}", line) for number, line in lines)


@pytest.mark.parametrize("kind", TEMPLATES)
def test_every_place_of_every_workload_is_looked_at(shop: Environment, kind: str) -> None:
    """Each reference that leads nowhere is told at its own line, and nothing else is."""
    build = distinct(workload(kind, PLACES)) + fetched("app", "password")
    assert lines(found(MISSING, build, shop)) == expected(build)


OTHERS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: reader
  annotations:
    nginx.ingress.kubernetes.io/auth-secret: shop/gone  # missing-secret
spec:
  tls:
  - secretName: gone  # missing-secret
  - secretName: keyless  # missing-key
  - secretName: app-tls
  - hosts: [example.org]
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: issued, annotations: {cert-manager.io/cluster-issuer: letsencrypt}}
spec: {tls: [{secretName: made-by-cert-manager}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: reader}
spec:
  listeners:
  - tls:
      certificateRefs:
      - name: app-tls
      - {kind: ConfigMap, name: gone}
      - name: gone  # missing-secret
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader}
imagePullSecrets:
- name: gone  # missing-secret
secrets:
- name: app
- name: gone  # missing-secret
---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: reader}
spec:
  provider:
    azurekv:
      serviceAccountRef: {name: gone}
      authSecretRef:
        clientId: {name: app, key: gone}  # missing-key
        clientSecret: {name: app, key: password}
---
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata: {name: reader}
spec:
  provider:
    vault:
      caProvider: {type: Secret, name: gone, namespace: shop, key: ca.crt}  # missing-secret
      auth:
        tokenSecretRef: {name: gone, namespace: other, key: password}
---
apiVersion: cert-manager.io/v1
kind: Certificate
metadata: {name: app}
spec: {secretName: app-tls}
---
apiVersion: v1
kind: Secret
metadata: {name: keyless}
stringData: {tls.crt: ""}
"""


def test_other_kinds_are_looked_at(shop: Environment) -> None:
    """Ingresses, Gateways, ServiceAccounts and stores; what cert-manager makes is there; a tls.key is needed."""
    build = distinct(OTHERS) + fetched("app", "password")
    assert lines(found(MISSING, build, shop)) == expected(build)


def test_an_optional_reference_is_a_note(shop: Environment) -> None:
    """The pod starts without it."""
    pod = """
containers:
- envFrom:
  - secretRef: {name: gone, optional: true}
  env:
  - valueFrom: {secretKeyRef: {name: app, key: gone, optional: true}}
volumes:
- secret: {secretName: gone, optional: true}
- projected: {sources: [{secret: {name: app, optional: true, items: [{key: gone}]}}]}
"""
    findings = found(MISSING, workload("v1 Pod", pod), shop)
    assert [(finding.rule, finding.severity) for finding in findings] == [
        ("missing-secret", "note"),
        ("missing-key", "note"),
        ("missing-key", "note"),
    ]


def test_a_workload_and_a_secret_have_one_finding(shop: Environment) -> None:
    """At the reference that keeps the pod from starting, however many there are; another workload has its own."""
    pod = """
containers:
- envFrom:
  - secretRef: {name: gone, optional: true}
  env:
  - valueFrom: {secretKeyRef: {name: gone, key: one}}  # missing-secret
  - valueFrom: {secretKeyRef: {name: gone, key: two}}
volumes:
- secret: {secretName: gone}
"""
    build = workload("v1 Pod", pod) + "---\n" + workload("apps/v1 Deployment", pod)
    findings = found(MISSING, build, shop)
    assert lines(findings) == expected(build)
    assert [finding.severity for finding in findings] == ["error", "error"]


def only(findings: list[Finding]) -> Finding:
    """The one finding that there must be."""
    (finding,) = findings
    return finding


def test_a_finding_says_where_and_what(shop: Environment) -> None:
    """Object, field, overlay, and the name that was likely meant."""
    finding = only(found(MISSING, of("passwrd", "batch/v1 CronJob"), shop))
    assert finding.subject == Subject("CronJob", "shop", "reader")
    path = "spec.jobTemplate.spec.template.spec.containers[0].env[0].valueFrom.secretKeyRef.key"
    assert (finding.field, finding.overlay) == (path, "test")
    assert finding.message == "CronJob reader reads app/passwrd, a key that nothing provides"
    assert finding.hint == 'did you mean "password"?'


def test_a_secret_of_another_namespace_does_not_provide(shop: Environment) -> None:
    """The hint says where it is."""
    finding = only(found(MISSING, of("key", secret="theirs") + fetched("theirs", "key", namespace="other"), shop))
    assert finding.rule == "missing-secret"
    assert finding.hint == "it is in other; a Secret is read in its own namespace only"


def test_what_has_no_namespace_is_in_that_of_the_overlay(shop: Environment) -> None:
    """A hand-written Secret without a namespace is applied with the workload; one that says another is not."""
    reader = of("key", secret="theirs").replace(", namespace: shop", "")
    secret = "---\n{apiVersion: v1, kind: Secret, metadata: {name: theirs}, data: {key: ''}}\n"
    assert found(MISSING, reader + secret, shop) == []
    other = secret.replace("name: theirs", "name: theirs, namespace: other")
    assert only(found(MISSING, reader + other, shop)).rule == "missing-secret"


def test_an_omitted_key_is_missing_all_the_same(project: Project) -> None:
    """The hint says who omits it, and why."""
    project.declare("app", {"password": {}, "debug": {}})
    project.declare("tools", {"token": {}})
    overrides = {"app": {"keys": {"debug": {"omit": "No debugger\nhere"}}}, "tools": {"omit": "Not for test"}}
    shop = environment(project, overrides=overrides)
    build = of("debug") + fetched("app", "password") + "---\n" + of("token", "batch/v1 Job", "tools")
    hints = [finding.hint for finding in found(MISSING, build, shop)]
    assert hints == ["test omits it: Not for test", "test omits it: No debugger here"]


def test_names_are_those_of_the_build(project: Project) -> None:
    """Under a prefix and a suffix a Secret has another name; its declared keys are there, its own name is not."""
    project.declare("api", {"token": {}})
    shop = environment(project)
    project.write("overlays/test/secrets/kustomization.yaml", "resources: [manifests]\n")
    project.write("overlays/test/suffix/kustomization.yaml", "kind: Component\nnameSuffix: -s\n")
    root = "namePrefix: p-\nresources: [secrets]\ncomponents: [suffix]\n"
    folder = project.write("overlays/test/kustomization.yaml", root).parent
    kustomizations = layers.read(shop.project, str(folder))
    secrets = fetched("p-app-s", "password") + fetched("p-api-s", "old")
    renamed = of("password", secret="p-app-s") + "---\n" + of("token", "batch/v1 Job", "p-api-s") + secrets
    assert found(references.RULES, renamed, shop, layers=kustomizations) == []
    finding, *_ = found(MISSING, of("password") + secrets, shop, layers=kustomizations)
    assert (finding.rule, finding.severity) == ("missing-secret", "error")
    assert finding.hint == "kustomize renames it to p-app-s, but not here: name the place in spec.references"


def test_a_text_that_equals_a_renamed_name_is_a_warning(project: Project) -> None:
    """It may name the Secret, in a place that nobody knows; a text that only holds the name does not."""
    shop = environment(project)
    project.write("overlays/test/secrets/kustomization.yaml", "resources: [manifests]\n")
    folder = project.write("overlays/test/kustomization.yaml", "namePrefix: p-\nresources: [secrets]\n").parent
    kustomizations = layers.read(shop.project, str(folder))
    broker = """---
apiVersion: broker.example/v1
kind: Broker
metadata: {name: queue, namespace: shop, labels: {app: app}}
spec:
  image: app/app
  listeners:
  - credentials: app  # name-not-followed
  - credentials: p-app
"""
    build = of("password", secret="p-app") + fetched("p-app", "password") + broker
    findings = found(references.RULES, build, shop, layers=kustomizations)
    assert lines(findings) == expected(build)
    assert [finding.severity for finding in findings] == ["warning"]
    assert found(references.RULES, build.replace("p-app", "app"), shop) == []


def manifest(kind: str, spec: dict[str, Any]) -> str:
    """An object that provides the Secret `made`, if any."""
    version, name = kind.split()
    return f"---\n{yaml.safe_dump({'apiVersion': version, 'kind': name, 'metadata': {'name': 'made'}, **spec})}"


ESO, CLUSTER_ESO = "external-secrets.io/v1beta1 ExternalSecret", "external-secrets.io/v1 ClusterExternalSecret"
TEMPLATE = {"template": {"data": {"made": "x"}}}
MERGED = {"template": {"data": {"made": "x"}, "mergePolicy": "Merge"}}
FROM = {"template": {"templateFrom": [{"configMap": {"name": "x"}}]}}
DATA = [{"secretKey": "key"}]
VSO, ACK = "secrets.hashicorp.com/v1beta1 VaultStaticSecret", "alibabacloud.com/v1alpha1 ExternalSecret"
ALONE: dict[str, Any] = {"excludes": [".*"], "excludeRaw": True}
TEXTS: dict[str, Any] = {"templates": {"key": {"text": "x"}}}
MORE: dict[str, Any] = {"transformationRefs": [{"name": "more"}]}
MEMBERS = {"key": "shop", "jmesPath": [{"path": "b", "objectAlias": "b"}]}


@pytest.mark.parametrize(
    ("kind", "spec", "keys"),
    [
        ("v1 Secret", {"data": {"a": ""}, "stringData": {"b": ""}}, "ab"),
        ("v1 Secret", {"type": "kubernetes.io/service-account-token"}, ("token", "ca.crt", "namespace")),
        ("bitnami.com/v1alpha1 SealedSecret", {"spec": {"encryptedData": {"a": "x"}}}, "a"),
        (
            "bitnami.com/v1alpha1 SealedSecret",
            {"spec": {"encryptedData": {"a": "x"}, "template": {"data": {"b": "x"}}}},
            "ab",
        ),
        (ESO, {"spec": {"data": DATA}}, ("key",)),
        (ESO, {"spec": {"data": DATA, "target": TEMPLATE}}, ("made",)),
        (ESO, {"spec": {"data": DATA, "target": MERGED}}, ("key", "made")),
        (ESO, {"spec": {"dataFrom": [{"extract": {}}], "target": TEMPLATE}}, ("made",)),
        (VSO, {"spec": {"destination": {"name": "made", "transformation": {**ALONE, **TEXTS}}}}, ("key",)),
        (ACK, {"spec": {"data": [{"key": "shop", "name": "a"}, MEMBERS]}}, ("a", "b")),
    ],
)
def test_what_provides_has_its_keys_and_no_other(
    shop: Environment, kind: str, spec: dict[str, Any], keys: tuple[str, ...]
) -> None:
    """Secrets, SealedSecrets and ExternalSecrets, with what their templates make."""
    provider = manifest(kind, spec)
    for key in keys:
        assert found(MISSING, of(key, secret="made") + provider, shop) == [], key
    assert only(found(MISSING, of("other", secret="made") + provider, shop)).rule == "missing-key"


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        (ESO, {"spec": {"dataFrom": [{"extract": {}}]}}),
        (ESO, {"spec": {"dataFrom": [{"extract": {}}], "target": MERGED}}),
        (ESO, {"spec": {"data": DATA, "target": FROM}}),
        (CLUSTER_ESO, {"spec": {"externalSecretSpec": {"dataFrom": [{}]}}}),
        (VSO, {"spec": {"destination": {"name": "made", "transformation": TEXTS}}}),
        (VSO, {"spec": {"destination": {"name": "made", "transformation": {**TEXTS, "excludeRaw": True}}}}),
        (VSO, {"spec": {"destination": {"name": "made", "transformation": {**ALONE, **TEXTS, **MORE}}}}),
        (ACK, {"spec": {"dataProcess": {"extract": [{"key": "shop"}]}}}),
        ("cert-manager.io/v1 Certificate", {"spec": {"secretName": "made"}}),
        ("secrets.hashicorp.com/v1beta1 VaultStaticSecret", {"spec": {"destination": {"name": "made"}}}),
        ("secrets-store.csi.x-k8s.io/v1 SecretProviderClass", {"spec": {"secretObjects": [{"secretName": "made"}]}}),
    ],
)
def test_what_may_have_any_key_provides_each(shop: Environment, kind: str, spec: dict[str, Any]) -> None:
    """Nobody knows before the controller has run."""
    assert found(MISSING, of("whatever", secret="made") + manifest(kind, spec), shop) == []


def test_an_external_secret_provides_its_target(shop: Environment) -> None:
    """target.name goes before its own name; with creationPolicy None it provides nothing."""
    named = manifest(ESO, {"spec": {"data": DATA, "target": {"name": "theirs"}}})
    assert found(MISSING, of("key", secret="theirs") + named, shop) == []
    assert only(found(MISSING, of("key", secret="made") + named, shop)).rule == "missing-secret"
    none = manifest(ESO, {"spec": {"data": DATA, "target": {"creationPolicy": "None"}}})
    assert only(found(MISSING, of("key", secret="made") + none, shop)).rule == "missing-secret"


OPERATOR = """\
apiVersion: mongodb.example/v1
kind: MongoDB
metadata: {name: reader, namespace: shop}
spec:
  users:
  - credentials: {secretName: app, secretKey: gone}  # missing-key
  - credentials: {secretName: app, secretKey: password}
  - credentials: {secretName: gone}  # missing-secret
  backup:
    secrets:
    - app
    - gone  # missing-secret
"""
FURTHER = [
    {"kind": "MongoDB", "path": "spec/users/credentials/secretName", "key": "secretKey"},
    {"kind": "MongoDB", "path": "spec/backup/secrets"},
]


def test_further_places_are_told_by_the_overlay(project: Project) -> None:
    """An operator's own kind: lists on the way are passed through, and the key stands beside the name."""
    shop = environment(project, references=FURTHER)
    build = distinct(OPERATOR)
    assert lines(found(MISSING, build, shop)) == expected(build)


@pytest.mark.parametrize(
    "reader",
    [
        workload("v1 Pod", "containers: [{envFrom: [{secretRef: {name: app}}]}]"),
        workload("v1 Pod", "volumes: [{secret: {secretName: app}}]"),
        workload("v1 Pod", "imagePullSecrets: [{name: app}]"),
        workload("apps/v1 DaemonSet", "volumes: [{projected: {sources: [{secret: {name: app}}]}}]"),
        of("password") + "---\n" + of("token", "batch/v1 Job"),
        of("password") + "---\n{apiVersion: pg.example/v1, kind: Cluster, spec: {auth: [app]}}",
        of("password") + "---\n{apiVersion: mesh.example/v1, kind: Gateway, spec: {credentialName: shop/app}}",
        of("password") + "---\n{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, rules: [{resourceNames: [app]}]}",
    ],
)
def test_what_reads_all_keys_leaves_none_unused(project: Project, reader: str) -> None:
    """The whole Secret, each key by itself, or a place that only an operator, or the API, knows."""
    project.declare("app", {"password": {}, "token": {}})
    assert found(references.RULES, reader, environment(project)) == []


@pytest.mark.parametrize(
    "other",
    [
        "{apiVersion: v1, kind: Service, metadata: {name: app}, spec: {selector: {app: app}}}",
        "{apiVersion: pg.example/v1, kind: Cluster, metadata: {name: app, labels: {app: app}}}",
        fetched("app", "password", "token").removeprefix("---\n"),
        of("token", "batch/v1 Job").replace("namespace: shop", "namespace: other"),
    ],
)
def test_a_key_that_nothing_reads_is_told_where_it_is_declared(project: Project, other: str) -> None:
    """A namesake, or a reader in another namespace, does not read it; the other key is read."""
    project.declare("app", {"password": {}, "token": {}})
    finding = only(found([references.unused_key], of("password") + f"---\n{other}", environment(project)))
    place = finding.place
    assert place is not None
    assert (project.root / "generators/app.yaml").read_text().splitlines()[place.line - 1].strip() == "token: {}"
    assert (finding.overlay, finding.severity, finding.field) == ("test", "warning", "spec.keys.token")


@pytest.mark.parametrize(
    "spec",
    [
        {"labels": {"argocd.argoproj.io/secret-type": "repository"}},
        {"annotations": {"reflector.v1.k8s.emberstack.com/reflection-allowed": "true"}},
        {"type": "shop.example/credentials"},
    ],
)
def test_a_secret_that_somebody_else_reads_is_read(project: Project, spec: dict[str, Any]) -> None:
    """Its labels, annotations or type say so."""
    project.declare("theirs", {"url": {}}, **spec)
    assert found([references.unused_key], of("password"), environment(project)) == []


def test_without_a_workload_nothing_is_unused(shop: Environment) -> None:
    """A root of Secrets alone is read by another one."""
    assert found(references.RULES, fetched("app", "password").removeprefix("---\n"), shop) == []


def test_two_overlays_of_one_root_provide_together(project: Project) -> None:
    """Each in its own namespace: what one reads, the other does not provide for it."""
    first, second = environment(project), environment(project, "second", namespace="second")
    build = of("password") + "---\n" + of("password", "batch/v1 Job").replace("shop", "second")
    assert found(references.RULES, build, first, second) == []
    finding = only(found(references.RULES, of("password"), first, second))
    assert (finding.rule, finding.overlay) == ("unused-key", "second")


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["app", "password", "1"])
FIELDS = st.sampled_from(
    [
        "apiVersion", "kind", "metadata", "name", "namespace", "annotations", "spec", "template", "jobTemplate",
        "containers", "initContainers", "env", "envFrom", "valueFrom", "secretKeyRef", "secretRef", "key",
        "optional", "volumes", "secret", "secretName", "items", "projected", "sources", "csi",
        "nodePublishSecretRef", "imagePullSecrets", "secrets", "tls", "provider", "azurekv", "authSecretRef",
        "data", "dataFrom", "stringData", "target", "encryptedData", "creationPolicy", "mergePolicy",
        "secretStoreRef", "storeRef", "sourceRef", "workloadRef", "serviceAccountRef", "listeners",
        "certificateRefs", "destination", "secretObjects", "rules", "resourceNames", "users", "credentials",
        "secretKey", "type", "labels", "argocd.argoproj.io/sync-wave", "argocd.argoproj.io/hook",
        "reloader.stakater.com/auto",
    ]
)  # fmt: skip
KINDS = st.sampled_from(
    [
        "Deployment", "CronJob", "Pod", "Rollout", "Ingress", "Gateway", "ServiceAccount", "SecretStore",
        "ClusterSecretStore", "ExternalSecret", "SealedSecret", "Secret", "ClusterExternalSecret", "Certificate",
        "SecretProviderClass", "VaultStaticSecret", "Role", "MongoDB",
    ]
)  # fmt: skip
GROUPS = st.sampled_from(
    [
        "v1", "apps/v1", "external-secrets.io/v1", "bitnami.com/v1alpha1", "cert-manager.io/v1",
        "networking.k8s.io/v1", "secrets-store.csi.x-k8s.io/v1", "secrets.hashicorp.com/v1beta1",
        "gateway.networking.k8s.io/v1",
    ]
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(FIELDS, below, max_size=4), max_leaves=20
)
STRANGE = st.fixed_dictionaries(
    {"apiVersion": GROUPS | SCALARS, "kind": KINDS},
    optional={"metadata": VALUES, "spec": VALUES, "data": VALUES, "rules": VALUES, "imagePullSecrets": VALUES},
)


@pytest.fixture(name="everywhere", scope="module")
def _everywhere(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An overlay with further references, for all examples."""
    project = Project(tmp_path_factory.mktemp("fuzz"))
    project.declare("app", {"password": {}})
    return environment(project, references=FURTHER)


def broken(whole: Any, steps: list[int], scalar: Any) -> Any:
    """The same with something else at one place in it."""
    if not steps or not isinstance(whole, dict | list) or not whole:
        return scalar
    keys = list(whole) if isinstance(whole, dict) else list(range(len(whole)))
    chosen = keys[steps[0] % len(keys)]
    changed = dict(whole) if isinstance(whole, dict) else list(whole)
    changed[chosen] = broken(whole[chosen], steps[1:], scalar)
    return changed


WHOLE = [
    document
    for kind in TEMPLATES
    for text in (workload(kind, PLACES), OTHERS, OPERATOR)
    for document in yaml.safe_load_all(text)
]


@settings(max_examples=300, deadline=None)
@given(objects=st.lists(STRANGE, max_size=4))
def test_no_strange_object_gives_a_traceback(everywhere: Environment, objects: list[dict[str, Any]]) -> None:
    """Users' YAML holds anything anywhere."""
    found(ALL, yaml.safe_dump_all(objects), everywhere)


@settings(max_examples=300, deadline=None)
@given(whole=st.sampled_from(WHOLE), steps=st.lists(st.integers(0, 20), min_size=1, max_size=9), value=VALUES)
def test_no_broken_workload_gives_a_traceback(
    everywhere: Environment, whole: dict[str, Any], steps: list[int], value: Any
) -> None:
    """A workload that is whole but for one place, deep in it."""
    found(ALL, yaml.safe_dump(broken(whole, steps, value)), everywhere)


DEPLOYMENT = """apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  template:
    spec:
      containers:
      - name: web
        env:
        - name: PASSWORD
          valueFrom: {secretKeyRef: {name: app, key: password}}
"""


def test_what_a_patch_reads_is_told_in_the_patch(tmp_path: Path) -> None:
    """Kustomize puts what it adds before the rest, so that another entry stands at its number in the base."""
    project = Project(tmp_path)
    project.declare("app", {"password": {}})
    project.write("overlays/base/kustomization.yaml", "resources: [web.yaml]\n")
    project.write("overlays/base/web.yaml", DEPLOYMENT)
    for name in ("prod", "test"):
        source = {**VAULT, "names": f"{{remoteName}}-{name}"}
        project.overlay(name, {"externalSecret": {"store": {"name": "vault"}}}, namespace="shop", source=source)
        patch = DEPLOYMENT.replace("PASSWORD", "ADDED").replace("key: password", "key: pasword")
        project.write(f"overlays/{name}/patch.yaml", f"# of {name}\n{patch}")
        root = "namespace: shop\nresources: [../base, secrets]\npatches: [{path: patch.yaml}]\n"
        project.write(f"overlays/{name}/kustomization.yaml", root)
    project.done("render", "--write")
    lines = [line for line in project.ksecret("check").out.splitlines() if line.endswith("[missing-key]")]
    message = "12:54: Deployment web reads app/pasword, a key that nothing provides [missing-key]"
    assert lines == [f"error: overlays/{name}/patch.yaml:{message}" for name in ("prod", "test")]


def test_what_an_inline_patch_reads_is_told_in_the_patch(tmp_path: Path) -> None:
    """In the text of the kustomization itself, be it operations or the form of the object."""
    project = Project(tmp_path)
    project.declare("app", {"password": {}})
    project.overlay("test", {"externalSecret": {"store": {"name": "vault"}}}, namespace="shop", source=VAULT)
    project.write("overlays/test/web.yaml", DEPLOYMENT)
    added = "{name: ADDED, valueFrom: {secretKeyRef: {name: app, key: pasword}}}"
    patch = f"- {{op: add, path: /spec/template/spec/containers/0/env/0, value: {added}}}"
    root = f"resources: [web.yaml, secrets]\npatches:\n- target: {{kind: Deployment}}\n  patch: |-\n    {patch}\n"
    project.write("overlays/test/kustomization.yaml", f"namespace: shop\n{root}")
    project.done("render", "--write")
    lines = [line for line in project.ksecret("check").out.splitlines() if line.endswith("[missing-key]")]
    column = len(f"    {patch}".partition("pasword")[0]) + 1
    assert lines[0].startswith(f"error: overlays/test/kustomization.yaml:6:{column}: Deployment web reads app/pasword")
    merged = DEPLOYMENT.replace("PASSWORD", "ADDED").replace("key: password", "key: pasword")
    indented = "".join(f"      {line}\n" for line in merged.splitlines())
    root = f"resources: [web.yaml, secrets]\npatches:\n  - patch: |\n{indented}"
    project.write("overlays/test/kustomization.yaml", f"namespace: shop\n{root}")
    lines = [line for line in project.ksecret("check").out.splitlines() if line.endswith("[missing-key]")]
    assert lines[0].startswith("error: overlays/test/kustomization.yaml:15:60: Deployment web reads app/pasword")


@pytest.mark.parametrize(
    ("read", "hint"),
    [("cach", 'did you mean "cache"?'), ("cache", "kustomize adds a hash to its name and not to this reference: ")],
)
def test_a_hint_names_a_generated_secret_as_it_is_written(shop: Environment, read: str, hint: str) -> None:
    """The hash behind it is kustomize's to add, and not in every field that names a Secret."""
    made = "---\n{apiVersion: v1, kind: Secret, metadata: {name: cache-c6ftck9474, namespace: shop}}\n"
    (finding,) = found(MISSING, of("password", secret=read) + made, shop)
    assert finding.hint.startswith(hint)
