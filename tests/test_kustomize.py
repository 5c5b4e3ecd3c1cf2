"""Real builds: what is rendered is found by what reads it, whatever renames it, in both forms."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from .builds import (
    Object,
    by_kubectl,
    from_manifests,
    generated,
    objects,
    of,
    switch_to_generator,
    write_kustomization,
)
from .peers import peer, run
from .projects import Project, age, sealing

CONTAINER = {
    "name": "main",
    "image": "example.org/app:1",
    "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "app", "key": "token"}}}],
    "envFrom": [{"secretRef": {"name": "app"}}],
}
POD = {
    "initContainers": [CONTAINER],
    "containers": [CONTAINER],
    "ephemeralContainers": [CONTAINER],
    "imagePullSecrets": [{"name": "registry"}],
    "volumes": [
        {"name": "plain", "secret": {"secretName": "app"}},
        {"name": "projected", "projected": {"sources": [{"secret": {"name": "app"}}]}},
        {"name": "csi", "csi": {"driver": "secrets-store.csi.k8s.io", "nodePublishSecretRef": {"name": "app"}}},
    ],
}
POD_TEMPLATE = {"metadata": {"labels": {"app": "app"}}, "spec": POD}
AUTH_ANNOTATIONS = (
    "ingress.kubernetes.io/auth-secret",
    "nginx.ingress.kubernetes.io/auth-secret",
    "nginx.ingress.kubernetes.io/auth-tls-secret",
)
READING_APP = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["app"], "verbs": ["get"]}
STORAGE_PARAMETERS = ("secretName", "adminSecretName", "userSecretName", "secretRef")


# All that can name a Secret: nine workloads of ten references, then one object a kind.
BASE = [
    *(of("apps/v1", kind, spec={"template": POD_TEMPLATE}) for kind in ("Deployment", "StatefulSet", "DaemonSet")),
    of("apps/v1", "ReplicaSet", spec={"template": POD_TEMPLATE}),
    of("argoproj.io/v1alpha1", "Rollout", spec={"template": POD_TEMPLATE}),
    of("batch/v1", "Job", spec={"template": POD_TEMPLATE}),
    of("batch/v1", "CronJob", spec={"jobTemplate": {"spec": {"template": POD_TEMPLATE}}}),
    of("v1", "PodTemplate", template=POD_TEMPLATE),
    of("v1", "Pod", spec=POD),
    of("v1", "ServiceAccount", imagePullSecrets=[{"name": "registry"}], secrets=[{"name": "app"}]),
    of(
        "networking.k8s.io/v1",
        "Ingress",
        metadata={"name": "ingress", "annotations": dict.fromkeys(AUTH_ANNOTATIONS, "app")},
        spec={"tls": [{"secretName": "tls"}]},
    ),
    of("rbac.authorization.k8s.io/v1", "Role", rules=[READING_APP]),
    of("rbac.authorization.k8s.io/v1", "ClusterRole", rules=[READING_APP]),
    of("v1", "PersistentVolume", spec={"azureFile": {"secretName": "app"}}),
    of("storage.k8s.io/v1", "StorageClass", parameters=dict.fromkeys(STORAGE_PARAMETERS, "app")),
]
# 9 workloads of 9; ServiceAccount, 3 annotations, Role, ClusterRole, PersistentVolume, StorageClass; its readers' Role.
REFERENCES = {"app": 9 * 9 + 1 + 3 + 1 + 1 + 1 + 4 + 1, "registry": 9 + 1, "tls": 1}


def references(node: Any) -> Iterator[str]:
    """The name of a Secret in every place that names one, by the names of the fields."""
    if isinstance(node, list):
        for element in node:
            yield from references(element)
    elif isinstance(node, dict):
        for name, value in node.items():
            if name in ("secretKeyRef", "nodePublishSecretRef") or (name == "secretRef" and isinstance(value, dict)):
                yield value["name"]
            elif name in ("imagePullSecrets", "secrets"):
                yield from (element["name"] for element in value)
            elif name == "secret" and "name" in value:
                yield value["name"]
            elif name in (*STORAGE_PARAMETERS, *AUTH_ANNOTATIONS):
                yield value
            elif name == "resourceNames":
                yield from value
            else:
                yield from references(value)


AZURE = {"azureKeyVault": {"vaultUrl": "https://shop.vault.azure.net"}}
VAULT = {
    "names": "shop/{secret}",
    "property": "{remoteName}",
    "vault": {"address": "https://vault.example:8200", "mount": "secret"},
}
ACCOUNT = {"workloadIdentity": {"serviceAccountName": "reader"}}
PRINCIPAL = {
    "servicePrincipal": {
        "tenantId": "9b2d7c64-1f3e-4a58-b0c7-d5e8f6a41327",
        "secretName": "login",
        "clientIdKey": "id",
        "clientSecretKey": "secret",
    }
}
GIVEN = {"app": ["token"], "registry": [".dockerconfigjson"], "tls": ["tls.crt", "tls.key"]}
TYPES = {"app": "Opaque", "registry": "kubernetes.io/dockerconfigjson", "tls": "kubernetes.io/tls"}


def vault_secrets_operator(**auth: Object) -> Object:
    """A backend whose sign-in is rendered."""
    return {"vaultSecretsOperator": {"auth": auth}}


def external_secret(auth: Object, kind: str = "SecretStore") -> Object:
    """A backend whose store is rendered."""
    return {"externalSecret": {"store": {"name": "vault", "kind": kind, "auth": auth}}}


def write_overlay(project: Project, folder: str, name: str, namespace: str, **spec: Any) -> None:
    """A SecretOverlay that can be a generator."""
    annotations = {"config.kubernetes.io/function": "exec: {path: ksecret-fn}"}
    overlay = {
        "apiVersion": "ksecret.dev/v1alpha1",
        "kind": "SecretOverlay",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"namespace": namespace, **spec},
    }
    project.write(f"{folder}/ksecret.yaml", yaml.safe_dump(overlay, sort_keys=False))


def given_secrets(secrets: Mapping[str, list[str]]) -> str:
    """Manifests of Secrets with some value in every key, of the form that the key's name demands."""
    forms = {
        ".dockerconfigjson": '{"auths": {"registry.example": {"username": "reader", "password": "for a test"}}}',
        "tls.crt": sealing(2).certificate.decode(),
        "tls.key": sealing(2).private_key.decode(),
    }
    return yaml.safe_dump_all(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "stringData": {key: forms.get(key, "v" * 9) for key in keys},
        }
        for name, keys in secrets.items()
    )


class Shop:
    """A base that reads Secrets everywhere, an overlay in both forms, and kustomizations that rename all of it."""

    def __init__(self, folder: Path, backend: Object, login: Object) -> None:
        self.project = Project(folder)
        (self.backend,) = backend
        self._built: dict[str, str] = {}
        for name, keys in GIVEN.items():
            declared = {key: {"remoteName": f"{name}-{key.strip('.').replace('.', '-')}"} for key in keys}
            self.project.declare(name, declared, type=TYPES[name], readers=["reader"] if name == "app" else [])
        spec = {"declarations": ["../../generators"], "source": AZURE, "backend": backend, "access": {"create": True}}
        if self.backend == "vaultSecretsOperator":
            spec |= {"source": VAULT, "kustomization": "../../base"}
        write_overlay(self.project, "overlay/secrets", "shop", "shop", **spec)
        self.project.write("overlay/secrets/sealing.pem", sealing(1).certificate)
        reader = of("v1", "ServiceAccount", metadata={"name": "reader"})
        self.project.write("base/all.yaml", yaml.safe_dump_all([*BASE, reader, login]))
        write_kustomization(self.project, "base", resources=["all.yaml"])
        if self.backend in ("sealedSecret", "sops"):
            assert self.project.ksecret("seal", "shop", "-f", "-", stdin=given_secrets(GIVEN)).code == 0
        else:
            self.project.done("render", "--write")
        overlay = self.project.root / "overlay"
        shutil.copytree(overlay / "secrets", overlay / "generated")
        switch_to_generator(overlay / "generated")

    def deployed(self, form: str, *renames: Object) -> Path:
        """The folder to build: one kustomization around the other, each with the fields that rename."""
        resources = ["../base", f"../overlay/{form}"]
        for number, rename in enumerate(renames):
            folder = write_kustomization(
                self.project, f"{form}-{number}", namespace="shop", resources=resources, **rename
            )
            resources = [f"../{folder.name}"]
        return folder

    def committed(self, *renames: Object) -> str:
        """What is built from the committed manifests; the same folder is built once."""
        built = self._built.get(json.dumps(renames))
        if built is None:
            built = self._built[json.dumps(renames)] = from_manifests(self.deployed("secrets", *renames))
        return built


LOGIN = of("v1", "Secret", metadata={"name": "login"})
SEALED_LOGIN = of("bitnami.com/v1alpha1", "SealedSecret", metadata={"name": "login"})
SHOPS = {
    "workload identity": (external_secret(ACCOUNT), LOGIN),
    "service principal": (external_secret(PRINCIPAL), LOGIN),
    "sealed service principal": (external_secret(PRINCIPAL), SEALED_LOGIN),
    "cluster store": (external_secret(PRINCIPAL, "ClusterSecretStore"), LOGIN),
    "cluster store, workload identity": (external_secret(ACCOUNT, "ClusterSecretStore"), LOGIN),
    "sealedSecret": ({"sealedSecret": {"certificate": "sealing.pem", "scope": "cluster-wide"}}, LOGIN),
    "sops": ({"sops": {"age": [age("anna").recipient]}}, LOGIN),
    "Vault Secrets Operator": (
        vault_secrets_operator(kubernetes={"role": "shop", "serviceAccountName": "reader"}),
        LOGIN,
    ),
    "Vault Secrets Operator, AppRole": (
        vault_secrets_operator(appRole={"roleId": "shop", "secretName": "login"}),
        LOGIN,
    ),
}


@pytest.fixture(scope="module", params=list(SHOPS.values()), ids=list(SHOPS))
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """One shop for each backend."""
    return Shop(tmp_path_factory.mktemp("shop"), *request.param)


RENAMES: dict[str, tuple[list[Object], str]] = {
    "as it is": ([{}], "{}"),
    "prefix": ([{"namePrefix": "web-"}], "web-{}"),
    "nested": ([{"namePrefix": "web-"}, {"namePrefix": "team-", "nameSuffix": "-v2"}], "team-web-{}-v2"),
}
over_renames = pytest.mark.parametrize(("renames", "name"), RENAMES.values(), ids=RENAMES)


@over_renames
def test_every_reference_to_a_secret_follows_a_rename(shop: Shop, renames: list[Object], name: str) -> None:
    """Each of the 104 references of the base names an ExternalSecret, SealedSecret or Secret of the overlay."""
    built = objects(shop.committed(*renames))
    provided = {document["metadata"]["name"] for document in built if document["kind"].endswith("Secret")}
    assert provided == {name.format(secret) for secret in (*GIVEN, "login")}
    # What a store or a sign-in names is the next test's.
    base = [document for document in built if document["kind"] != "VaultAuth"]
    assert Counter(references(base)) == {name.format(secret): count for secret, count in REFERENCES.items()}
    assert sum(REFERENCES.values()) == 104


@over_renames
def test_a_store_and_what_it_signs_in_with_follow_a_rename(shop: Shop, renames: list[Object], name: str) -> None:
    """ExternalSecret to store, store to ServiceAccount or to the Secret of its service principal."""
    built = objects(shop.committed(*renames))
    stores = [document for document in built if document["kind"].endswith("SecretStore")]
    external = [document for document in built if document["kind"] == "ExternalSecret"]
    assert (len(stores), len(external)) == ((0, 0) if shop.backend != "externalSecret" else (1, 3))
    assert {document["spec"]["secretStoreRef"]["name"] for document in external} <= {name.format("vault")}
    for store in stores:
        provider = store["spec"]["provider"]["azurekv"]
        named = [*provider.get("authSecretRef", {}).values(), provider.get("serviceAccountRef")]
        expected = name.format("reader" if "serviceAccountRef" in provider else "login")
        assert store["metadata"]["name"] == name.format("vault")
        assert {reference["name"] for reference in named if reference} == {expected}
        assert expected in {document["metadata"]["name"] for document in built}


@over_renames
def test_what_vault_secrets_operator_needs_and_restarts_follows_a_rename(
    shop: Shop, renames: list[Object], name: str
) -> None:
    """VaultStaticSecret to its Secret, its VaultAuth and the workloads; from there to connection and credentials."""
    built = objects(shop.committed(*renames))
    static = [document for document in built if document["kind"] == "VaultStaticSecret"]
    auths = [document for document in built if document["kind"] == "VaultAuth"]
    connections = [document for document in built if document["kind"] == "VaultConnection"]
    assert (len(static), len(auths), len(connections)) == ((3, 1, 1) if "vault" in shop.backend else (0, 0, 0))
    for document in static:
        assert document["spec"]["destination"]["name"] == document["metadata"]["name"]
        assert document["spec"]["vaultAuthRef"] == name.format("vault")
    for auth in auths:
        spec = auth["spec"]
        assert (auth["metadata"]["name"], spec["vaultConnectionRef"]) == (name.format("vault"), name.format("vault"))
        account, login = spec.get("kubernetes", {}).get("serviceAccount"), spec.get("appRole", {}).get("secretRef")
        assert {account, login} == {None, name.format("reader" if account else "login")}
    restarted = {
        (target["kind"], target["name"])
        for document in static
        for target in document["spec"].get("rolloutRestartTargets", [])
    }
    workloads = {
        "Deployment": "deployment",
        "StatefulSet": "statefulset",
        "DaemonSet": "daemonset",
        "argo.Rollout": "rollout",
    }
    assert restarted == ({(kind, name.format(named)) for kind, named in workloads.items()} if static else set())


@over_renames
def test_the_readers_of_a_secret_and_their_role_follow_a_rename(shop: Shop, renames: list[Object], name: str) -> None:
    """The Role names the renamed Secret alone, the RoleBinding that Role and the renamed ServiceAccount."""
    built = {
        (document["kind"], document["metadata"]["name"]): document for document in objects(shop.committed(*renames))
    }
    names = name.format("app-readers")
    role, binding = built["Role", names], built["RoleBinding", names]
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [name.format("app")], "verbs": ["get"]}
    assert role["rules"] == [rule]
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": names}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": name.format("reader"), "namespace": "shop"}]
    assert [kind for kind, _ in built].count("RoleBinding") == 1


@over_renames
def test_both_forms_build_byte_for_byte_the_same(shop: Shop, renames: list[Object], name: str) -> None:
    """Committed manifests and generator differ in nothing, whatever is renamed around them."""
    assert generated(shop.deployed("generated", *renames)) == shop.committed(*renames)


def test_kubectl_builds_the_same_through_nested_prefixes(shop: Shop) -> None:
    """What `kubectl apply -k` deploys is what kustomize builds."""
    renames = RENAMES["nested"][0]
    assert by_kubectl(shop.deployed("secrets", *renames)) == shop.committed(*renames)


def test_without_the_references_a_prefix_breaks_the_base(shop: Shop) -> None:
    """What _references.yaml is for: kustomize alone follows nothing but a Secret, into 69 of the 104 places."""
    overlay = shop.project.root / "overlay"
    shutil.copytree(overlay / "secrets" / "manifests", overlay / "bare")
    manifests = [path.name for path in (overlay / "bare").iterdir() if not path.name.startswith(("_ref", "kust"))]
    write_kustomization(shop.project, "overlay/bare", resources=manifests)
    built = objects(from_manifests(shop.deployed("bare", {"namePrefix": "web-"})))
    followed = [name for name in references(built) if name.startswith("web-")]
    assert len(followed) == (69 if shop.backend == "sops" else 0)


def test_a_sealed_secret_of_the_cluster_wide_scope_is_opened_under_its_new_name(tmp_path: Path) -> None:
    """The real kubeseal opens what was renamed twice and moved to another namespace."""
    shop = Shop(tmp_path, *SHOPS["sealedSecret"])
    built = objects(shop.committed(*RENAMES["nested"][0]))
    key = shop.project.write("key.pem", sealing(1).private_key)
    opening = (peer("kubeseal"), "--recovery-unseal", "--recovery-private-key", key)
    moved = next(document for document in built if document["metadata"]["name"] == "team-web-app-v2")
    moved["metadata"]["namespace"] = "elsewhere"
    opened = json.loads(run(*opening, input=json.dumps(moved)))
    assert (opened["metadata"]["name"], opened["metadata"]["namespace"]) == ("team-web-app-v2", "elsewhere")
    assert opened["data"] == {"token": "dnZ2dnZ2dnZ2"}


SERVICES = ("billing", "catalog", "orders")
ENVIRONMENTS = {"dev": "externalSecret", "test": "externalSecret", "prod": "sealedSecret"}
REGIONS = ("eu", "us")


def write_service(project: Project, service: str) -> None:
    """A service with a declaration of its own, and a Deployment that reads it."""
    declaration = {
        "apiVersion": "ksecret.dev/v1alpha1",
        "kind": "SecretDeclaration",
        "metadata": {"name": service},
        "spec": {"keys": {"token": {}}},
    }
    project.write(f"services/{service}/declared/{service}.yaml", yaml.safe_dump(declaration))
    variable = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": service, "key": "token"}}}
    spec = {"containers": [{"name": "main", "image": "example.org/app:1", "env": [variable]}]}
    deployment = of("apps/v1", "Deployment", metadata={"name": service}, spec={"template": {"spec": spec}})
    project.write(f"services/{service}/deployment.yaml", yaml.safe_dump(deployment))
    write_kustomization(project, f"services/{service}", resources=["deployment.yaml"])


def write_region(project: Project, environment: str, region: str) -> None:
    """The overlay of one namespace, and the kustomization of its folder."""
    folder, name = f"deploy/{environment}/{region}", f"{environment}-{region}"
    backends = {**external_secret(ACCOUNT), "sealedSecret": {"certificate": "sealing.pem"}}
    backend = ENVIRONMENTS[environment]
    write_overlay(
        project,
        f"{folder}/secrets",
        name,
        f"shop-{name}",
        declarations=[f"../../../../services/{service}/declared" for service in SERVICES],
        source={"names": f"{{secret}}-{{remoteName}}-{name}", **AZURE},
        backend={backend: backends[backend]},
    )
    resources = [*(f"../../../services/{service}" for service in SERVICES), "secrets"]
    write_kustomization(project, folder, namespace=f"shop-{name}", resources=resources)
    if backend == "sealedSecret":
        project.write(f"{folder}/secrets/sealing.pem", sealing(1).certificate)
        given = given_secrets({service: ["token"] for service in SERVICES})
        assert project.ksecret("seal", name, "-f", "-", stdin=given).code == 0


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """3 services in 3 environments of 2 namespaces: one overlay a namespace, one root kustomization an environment."""
    project = Project(tmp_path_factory.mktemp("services"))
    for service in SERVICES:
        write_service(project, service)
    for environment in ENVIRONMENTS:
        for region in REGIONS:
            write_region(project, environment, region)
        write_kustomization(project, f"deploy/{environment}", resources=list(REGIONS))
    write_kustomization(project, "deploy", resources=list(ENVIRONMENTS))
    project.done("render", "--write")
    return project


def in_generator_form(project: Project, folder: Path) -> Path:
    """A copy of a project in which every overlay is a generator."""
    shutil.copytree(project.root, folder, symlinks=True)
    for overlay in folder.rglob("ksecret.yaml"):
        switch_to_generator(overlay.parent)
    return folder


def test_services_environments_and_namespaces_build_the_same_in_both_forms(services: Project, tmp_path: Path) -> None:
    """Each environment, and all three in one build: no two objects have one id."""
    copy = in_generator_form(services, tmp_path / "copy")
    counts = {"dev": 14, "test": 14, "prod": 12}
    for environment, count in counts.items():
        committed = from_manifests(services.root / "deploy" / environment)
        assert generated(copy / "deploy" / environment) == committed
        assert len(objects(committed)) == count
    assert len(objects(generated(copy / "deploy"))) == sum(counts.values())


def test_a_deployment_reads_the_secret_of_its_own_namespace(services: Project) -> None:
    """18 Deployments, and beside each in its namespace the object that gives it its Secret."""
    built = objects(from_manifests(services.root / "deploy"))
    expected = {(f"shop-{e}-{region}", service) for e in ENVIRONMENTS for region in REGIONS for service in SERVICES}
    for kinds in (["Deployment"], ["ExternalSecret", "SealedSecret"]):
        metadata = [document["metadata"] for document in built if document["kind"] in kinds]
        assert len(metadata) == 18
        assert {(stated["namespace"], stated["name"]) for stated in metadata} == expected
    keys = {item["remoteRef"]["key"] for document in built for item in document["spec"].get("data", ())}
    assert keys == {f"{s}-token-{e}-{region}" for e in ("dev", "test") for region in REGIONS for s in SERVICES}
