"""`import --from-cluster` against the real cluster: what lives there is declared, sealed and delivered again."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..projects import Done, Project
from .controlplane import Cluster
from .shops import STORE, Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
CANARY = "canary-value"
ENCODED = "Y2FuYXJ5LXZhbHVl"
VALUES = {"token": CANARY, "password": "p"}


class Found:
    """A namespace with Secrets that nobody has declared, and an empty project."""

    def __init__(self, folder: Path, cluster: Cluster, namespace: str) -> None:
        self.project, self.cluster, self.namespace = Project(folder), cluster, namespace

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments, stdin=stdin)

    def ksecret(self, *arguments: str, **variables: str) -> Done:
        done = self.project.ksecret(*arguments, **{"KUBECONFIG": str(self.cluster.kubeconfig), **variables})
        files = b"".join(self.project.files().values()).decode()
        for trace in (CANARY, ENCODED):
            assert trace not in done.out + done.err + files
        return done

    def imports(self, *arguments: str, **variables: str) -> Done:
        return self.ksecret("import", "prod", "--from-cluster", "-n", self.namespace, *arguments, **variables)

    def spec(self, path: str) -> dict[str, Any]:
        return dict(yaml.safe_load((self.project.root / path).read_text())["spec"])

    def asked(self, since: int) -> list[str]:
        """What was asked of Secrets by whoever ran the command: verb and the end of the URI."""
        requests = self.cluster.requests(since, "admin")
        return [
            f"{request.verb} {request.uri.rpartition('/')[2]}"
            for request in requests
            if re.search(r"/secrets(/|\?|$)", request.uri)
        ]


@pytest.fixture
def found(tmp_path: Path, cluster: Cluster, namespace: str) -> Found:
    return Found(tmp_path, cluster, namespace)


def create(found: Found, name: str, **values: str) -> None:
    """As people do by hand."""
    literals = [f"--from-literal={key}={value}" for key, value in values.items()]
    found.kubectl("create", "secret", "generic", name, *literals)


def test_secrets_made_by_hand_are_declared_sealed_and_taken_over(found: Found) -> None:
    """One with last-applied, one without, one whose managedFields somebody reset; no value shows, and none changes."""
    create(found, "app", **VALUES)
    found.kubectl("label", "secret", "app", "team=blue")
    applied = found.kubectl(
        "create", "secret", "generic", "redis", "--from-literal=pw=p", "--dry-run=client", "-o=json"
    )
    found.kubectl("apply", "--filename=-", stdin=applied)
    create(found, "reset", key="k")
    reset = '[{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]'
    found.kubectl("patch", "secret", "reset", "--type=json", f"--patch={reset}")
    start = found.cluster.audit_log.stat().st_size
    done = found.imports("--dry-run")
    assert (done.code, (found.project.root / "overlays").exists()) == (0, False)
    assert found.asked(start) == ["list secrets?limit=500&includeObject=Metadata", "get reset"]
    done = found.imports("--seal")
    assert done.code == 0, done.err
    assert found.spec("generators/app.yaml") == {"labels": {"team": "blue"}, "keys": {"password": {}, "token": {}}}
    assert found.spec("generators/redis.yaml")["keys"] == {"pw": {}}
    before = found.project.files()
    assert found.imports("--seal").code == 0
    assert found.project.files() == before
    uid = found.kubectl("get", "secret", "app", "--output=jsonpath={.metadata.uid}")
    refused = found.ksecret("sync", "prod")
    assert refused.code == 1 and "--adopt takes it over" in refused.err
    adopted = found.ksecret("sync", "prod", "--adopt")
    assert (adopted.code, adopted.err) == (0, "")
    assert found.kubectl("get", "secret", "app", "--output=jsonpath={.data.token}") == ENCODED
    assert found.kubectl("get", "secret", "app", "--output=jsonpath={.metadata.uid}") == uid
    assert found.ksecret("diff", "prod").code == 0


def test_a_selector_chooses_and_what_kubernetes_and_helm_make_is_left_out(found: Found) -> None:
    create(found, "app", **VALUES)
    create(found, "other", **VALUES)
    found.kubectl("label", "secret", "app", "team=blue")
    helm = ("create", "secret", "generic", "sh.helm.release.v1.shop.v1", "--type=helm.sh/release.v1")
    found.kubectl(*helm, "--from-literal=release=x")
    done = found.imports("-l", "team=blue", "--dry-run")
    assert "generators/app.yaml\n" in done.out and "generators/other.yaml\n" not in done.out
    done = found.imports("--dry-run")
    assert "Secret sh.helm.release.v1.shop.v1 is left out: made by whoever makes Secrets of type helm" in done.err


def test_a_user_who_may_read_one_secret_alone_imports_it_by_name(found: Found) -> None:
    create(found, "app", **VALUES)
    kubeconfig = str(found.cluster.user(found.namespace, "reader"))
    refused = found.imports(KUBECONFIG=kubeconfig)
    assert refused.code == 3
    for kind in ("externalsecrets.external-secrets.io", "sealedsecrets.bitnami.com"):
        found.kubectl("create", "role", kind, "--verb=list", f"--resource={kind}")
    found.kubectl("create", "role", "one", "--verb=get", "--resource=secrets", "--resource-name=app")
    for role in ("externalsecrets.external-secrets.io", "sealedsecrets.bitnami.com", "one"):
        account = f"--serviceaccount={found.namespace}:reader"
        found.kubectl("create", "rolebinding", role, f"--role={role}", account)
    refused = found.imports(KUBECONFIG=kubeconfig)
    assert refused.code == 3
    assert f"the cluster refused to list secrets in {found.namespace}: 403 Forbidden" in refused.err
    done = found.imports("app", KUBECONFIG=kubeconfig)
    assert done.code == 0, done.err
    assert found.spec("generators/app.yaml")["keys"] == {"password": {}, "token": {}}


def test_what_operators_make_is_imported_as_their_objects_and_renders_the_same(
    tmp_path: Path, cluster: Cluster, namespace: str
) -> None:
    """ExternalSecrets with what the server fills in, and one that takes whatever there is; then SealedSecrets."""
    (tmp_path / "shop").mkdir()
    shop = Shop(tmp_path / "shop", cluster, namespace)
    shop.external_overlay()
    shop.store(token=CANARY, password="p", all='{"a": "1", "b": "2"}')
    extract = {
        "apiVersion": STORE,
        "kind": "ExternalSecret",
        "metadata": {"name": "everything", "namespace": namespace},
        "spec": {"secretStoreRef": {"name": "fake"}, "dataFrom": [{"extract": {"key": "all"}}]},
    }
    cluster.apply(extract)
    assert shop.ksecret("sync", "test", "--restart=never").code == 0
    shop.kubectl("wait", "--for=condition=Ready", "externalsecret/everything", "--timeout=30s")
    found = Found(tmp_path, cluster, namespace)
    done = found.imports()
    assert done.code == 0, done.err
    assert found.spec("generators/everything.yaml")["keys"] == {
        "a": {"remoteName": "all", "property": "a"},
        "b": {"remoteName": "all", "property": "b"},
    }
    assert found.spec("overlays/prod/secrets/ksecret.yaml")["backend"]["externalSecret"]["store"] == {"name": "fake"}
    manifest = "overlays/prod/secrets/manifests/app.yaml"
    imported, rendered = found.spec(manifest), shop.project.object("app", "test")["spec"]
    assert imported == rendered
    before = found.kubectl("get", "secret", "everything", "--output=jsonpath={.data}")
    assert found.ksecret("sync", "prod", "--restart=never", "--adopt").code == 0
    assert found.kubectl("get", "secret", "everything", "--output=jsonpath={.data}") == before


def test_live_sealed_secrets_keep_their_ciphertext(tmp_path: Path, cluster: Cluster, namespace: str) -> None:
    (tmp_path / "shop").mkdir()
    shop = Shop(tmp_path / "shop", cluster, namespace)
    shop.sealed_overlay()
    shop.seal(**VALUES)
    assert shop.ksecret("sync", "prod", "--restart=never").code == 0
    found = Found(tmp_path, cluster, namespace)
    done = found.imports("--seal")
    assert done.code == 0, done.err
    assert done.out.endswith("prod: nothing to seal\n")
    ours = found.project.object("app")["spec"]["encryptedData"]
    theirs = shop.project.object("app")["spec"]["encryptedData"]
    assert {key: "".join(text.split()) for key, text in ours.items()} == {
        key: "".join(text.split()) for key, text in theirs.items()
    }
