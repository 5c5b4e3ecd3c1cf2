"""The backend ackSecretManager: valid for the operator's own schema, followed by kustomize, delivered by `sync`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from .kms import Kms
from .mockcluster import MockCluster, mock_cluster
from .peers import peer, run
from .projects import Project

AUTHS: tuple[dict[str, Any], ...] = (
    {"rrsa": {"oidcProviderARN": "acs:ram::1:oidc-provider/c", "ramRoleARN": "acs:ram::1:role/shop"}},
    {"accessKey": {"secretName": "login", "idKey": "id", "secretKey": "secret", "ramRoleARN": "acs:ram::1:role/shop"}},
)


def _object(required: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": fields}


# The schemas of alibabacloud.com/v1alpha1 as far as KMS is concerned, written after the CRDs of ack-secret-manager
# 0.5.8. The API server drops what they do not name, so a field too many is a mistake.
TEXT = {"type": "string"}
SECRET_KEY = _object(("key", "name", "namespace"), key=TEXT, name=TEXT, namespace=TEXT)
ARNS = ("oidcProviderARN", "oidcTokenFilePath", "ramRoleARN", "ramRoleSessionName", "remoteRamRoleARN")
KMS_AUTH = _object(
    (),
    accessKey=SECRET_KEY,
    accessKeySecret=SECRET_KEY,
    **dict.fromkeys((*ARNS, "remoteRamRoleSessionName", "roleSessionExpiration"), TEXT),
)
ENTRY = _object(
    ("key",),
    key=TEXT,
    name=TEXT,
    versionId=TEXT,
    versionStage=TEXT,
    secretStoreRef=_object(("name", "namespace"), name=TEXT, namespace=TEXT),
    jmesPath={"type": "array", "items": _object(("objectAlias", "path"), objectAlias=TEXT, path=TEXT)},
)
SCHEMAS = {
    "ExternalSecret": _object((), provider=TEXT, type=TEXT, data={"type": "array", "items": ENTRY}),
    "SecretStore": _object((), KMS=_object((), KMSAuth=KMS_AUTH) | {"maxProperties": 1}) | {"minProperties": 1},
}


def ack_shop(folder: Path, auth: dict[str, Any] | None = None, source: dict[str, Any] | None = None) -> Project:
    """An overlay of two keys, its kustomizations, and what it renders."""
    project = Project(folder)
    project.declare("app", {"token": {}, "password": {}})
    store = {"name": "kms", **({"auth": auth} if auth else {})}
    source = source or {"alibabaKms": {"region": "cn-hangzhou"}}
    project.overlay("prod", {"ackSecretManager": {"store": store}}, source=source)
    project.write("overlays/prod/kustomization.yaml", "namespace: shop-prod\nresources: [secrets]\n")
    project.done("render", "prod", "--write")
    return project


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[MockCluster]:
    with mock_cluster(tmp_path) as running:
        running.values |= {"token": "one", "password": "p"}
        yield running


@pytest.mark.parametrize("auth", AUTHS, ids=lambda auth: next(iter(auth)))
def test_what_is_rendered_is_valid_for_the_operator(tmp_path: Path, auth: dict[str, Any]) -> None:
    """Every field is one of its schema; the API server would drop another without a word."""
    project = ack_shop(tmp_path, auth)
    keys = {"tls.crt": "tls.crt", "token": "a.0.b-c", "user": "x\\.y.z"}
    declared = {key: {"property": property_} for key, property_ in keys.items()}
    project.declare("app", {"password": {}, **declared}, type="example.org/shop")
    items = json.loads(project.done("render", "prod", "-o", "json"))["items"]
    assert [item["kind"] for item in items] == ["SecretStore", "ExternalSecret"]
    for item in items:
        assert item["apiVersion"] == "alibabacloud.com/v1alpha1"
        errors = Draft202012Validator(SCHEMAS[item["kind"]]).iter_errors(item["spec"])
        assert [f"{error.json_path}: {error.message}" for error in errors] == []
    members = [entry.get("jmesPath") for entry in items[1]["spec"]["data"]]
    assert members == [
        None,
        # A property with a dot may be the name of one member.
        [{"path": 'tls.crt || "tls.crt"', "objectAlias": "tls.crt"}],
        [{"path": 'a[0]."b-c" || "a.0.b-c"', "objectAlias": "token"}],
        [{"path": '"x.y".z', "objectAlias": "user"}],
    ]


def test_a_prefix_reaches_the_store_its_credentials_and_what_reads_the_secret(tmp_path: Path) -> None:
    """The Secret has the name of the ExternalSecret, so every reader follows it; the access key is followed as well."""
    project = ack_shop(tmp_path, AUTHS[1])
    project.write(
        "overlays/prod/kustomization.yaml", "namespace: shop-prod\nnamePrefix: eu-\nresources: [secrets, app.yaml]\n"
    )
    containers = [{"name": "app", "envFrom": [{"secretRef": {"name": "app"}}]}]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app"}, "spec": {"containers": containers}}
    login = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "login", "namespace": "shop-prod"}}
    project.write("overlays/prod/app.yaml", yaml.safe_dump_all([pod, login]))
    built = {
        document["kind"]: document
        for document in yaml.safe_load_all(run(peer("kustomize"), "build", project.root / "overlays/prod"))
    }
    assert built["ExternalSecret"]["metadata"]["name"] == "eu-app"
    references = {entry["secretStoreRef"]["name"] for entry in built["ExternalSecret"]["spec"]["data"]}
    assert references == {"eu-kms"}
    auth = built["SecretStore"]["spec"]["KMS"]["KMSAuth"]
    assert (auth["accessKey"]["name"], auth["accessKeySecret"]["name"]) == ("eu-login", "eu-login")
    assert built["Pod"]["spec"]["containers"][0]["envFrom"][0]["secretRef"]["name"] == "eu-app"


def test_status_says_before_a_deployment_which_names_kms_lacks(tmp_path: Path) -> None:
    """By lists of versions: no value is read. With --with-values, check judges the values as well."""
    with Kms() as kms:
        project = ack_shop(tmp_path, source={"names": "shop/{remoteName}", **kms.source})
        project.environment |= kms.environment
        kms.set("shop/token", "one")
        done = project.ksecret("status", "prod")
        assert (done.code, kms.values_read) == (1, [])
        states = {line.split()[1]: line.split("  ")[-1].strip() for line in done.out.splitlines() if "shop/" in line}
        assert states == {"app/password": "shop/password is missing in the source", "app/token": "ok"}
        check = project.ksecret("check", "--with-values")
        assert "app/password: the source of prod has no shop/password [value-missing]" in check.out


def test_rotate_says_when_the_cluster_has_the_new_value(tmp_path: Path) -> None:
    """Nothing makes the operator read KMS earlier than it does, but for sync."""
    with Kms() as kms:
        project = ack_shop(tmp_path, source={"names": "shop/{remoteName}", **kms.source})
        project.environment |= kms.environment
        for key in ("token", "password"):
            kms.set(f"shop/{key}", "one")
        done = project.ksecret("rotate", "prod", "app/token", "--yes", "--from-stdin", stdin="two")
        assert (done.code, "prod: ack-secret-manager fetches it\n  app/token\n" in done.err) == (0, True)
        assert "next: prod has it within 120s; at once: kubectl ksecret sync prod app\n" in done.out
        assert kms.versions("shop/token")[-1].value == "two"


def synced(project: Project, cluster: MockCluster, *options: str) -> tuple[int, list[str]]:
    """What `sync` prints, and its exit code."""
    done = project.ksecret("sync", "prod", *options, KUBECONFIG=cluster.kubeconfig)
    return done.code, (done.out + done.err).splitlines()


def test_sync_has_kms_read_at_once_and_restarts_what_reads_a_new_value(tmp_path: Path, cluster: MockCluster) -> None:
    """By an ExternalSecret that means the same and differs: the current version's stage is stated, or left out."""
    project = ack_shop(tmp_path)
    name = "externalsecret.alibabacloud.com/app"
    assert synced(project, cluster)[1][0] == f"{name} applied, with other values than before"
    for value in ("two", "three"):
        cluster.values["token"] = value
        code, lines = synced(project, cluster)
        assert (code, lines) == (
            0,
            [f"{name} applied, with other values than before", "deployment.apps/reader restarted"],
        )
    diff = project.ksecret("diff", "prod", KUBECONFIG=cluster.kubeconfig)
    assert "versionStage" not in diff.out


def test_sync_waits_for_an_operator_that_takes_its_time(tmp_path: Path, cluster: MockCluster) -> None:
    """The Secret is there with all its keys, and holds the old value until the operator has read KMS."""
    project = ack_shop(tmp_path)
    assert synced(project, cluster)[0] == 0
    cluster.values["token"], cluster.delay = "two", 1.5
    code, lines = synced(project, cluster)
    name = "externalsecret.alibabacloud.com/app"
    assert (code, lines) == (0, [f"{name} applied, with other values than before", "deployment.apps/reader restarted"])


def test_sync_says_what_a_secret_lacks_and_takes_none_over_unasked(tmp_path: Path, cluster: MockCluster) -> None:
    """The operator itself reports nothing, overwrites a Secret that exists, and leaves out what KMS does not have."""
    project = ack_shop(tmp_path)
    cluster.put(
        "/api/v1/namespaces/shop-prod/secrets/app",
        {"kind": "Secret", "metadata": {"name": "app", "namespace": "shop-prod"}, "data": {"mine": "eA=="}},
    )
    code, lines = synced(project, cluster, "--timeout=2s")
    assert code == 1
    assert "the Secret app exists and is not made by an ExternalSecret of ack-secret-manager" in lines[0]
    assert "--adopt takes it over, which would delete mine" in lines[0]
    assert cluster.secret("app") == {"mine": "eA=="}
    del cluster.values["password"]
    code, lines = synced(project, cluster, "--timeout=2s", "--adopt")
    assert (code, "the Secret app lacks password, which KMS does not have" in "\n".join(lines)) == (1, True)


def test_sync_does_not_take_silence_for_success(tmp_path: Path, cluster: MockCluster) -> None:
    """Where nobody makes the Secret, or writes it anew, that is unknown and no success."""
    project = ack_shop(tmp_path)
    cluster.runs = False
    code, lines = synced(project, cluster, "--timeout=2s")
    assert (code, "ack-secret-manager made no Secret app: is it running" in "\n".join(lines)) == (1, True)
    cluster.runs = True
    cluster.look()
    assert synced(project, cluster)[0] == 0
    cluster.runs, cluster.values["token"] = False, "two"
    code, lines = synced(project, cluster, "--timeout=2s")
    assert (code, "app has not arrived yet: ack-secret-manager reads KMS within two" in "\n".join(lines)) == (1, True)
