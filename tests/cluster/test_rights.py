"""The Roles of docs/rbac.md suffice on the real API server, and a printed hint gives the right that it names."""

import json
import re
import ssl
import subprocess
import urllib.request
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from .. import rights
from ..openbao import OpenBao
from ..peers import ROOT, peer
from ..projects import Done, age
from .acksecretmanager import AckSecretManager
from .audit import Request
from .controlplane import Cluster
from .shops import Shop
from .test_vault import Vault

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("vault_secrets_operator"),
]
USER = "deployer"
# The test cluster has no Argo Rollouts.
UNSERVED = {f"{verb} rollouts.argoproj.io" for verb in ("get", "list", "patch")}
HINT = re.compile(r"^\s*(?:hint|next): a role that allows it: (kubectl .*)$", re.MULTILINE)


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


def roles(shop: Shop, *names: str) -> list[dict[str, Any]]:
    """The roles of these names, as they stand in docs/rbac.md, in the namespace of the shop."""
    blocks = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "rbac.md").read_text(), re.DOTALL | re.MULTILINE)
    documents = [document for block in blocks for document in yaml.safe_load_all(block)]
    chosen = [document for document in documents if document["metadata"]["name"] in names]
    assert {document["metadata"]["name"] for document in chosen} == {*names}
    for document in chosen:
        if document["metadata"].get("namespace") == "shop-prod":
            document["metadata"]["namespace"] = shop.namespace
    return chosen


def user_with(shop: Shop, *names: str) -> str:
    """A kubeconfig of a ServiceAccount that has just these roles."""
    kubeconfig = str(shop.cluster.user(shop.namespace, USER))
    account = rights.account(USER, shop.namespace)
    for role in roles(shop, *names):
        namespace = role["metadata"].get("namespace", "")
        # Roles of the whole cluster are each test's own.
        role["metadata"]["name"] = name = f"{shop.namespace}-{role['metadata']['name']}"
        binding = rights.binding(f"{role['kind']}Binding", name, f"{role['kind']}/{name}", account, namespace=namespace)
        shop.cluster.apply(role, binding)
    return kubeconfig


def asked(requests: Iterable[Request]) -> set[str]:
    """What requests asked for, as VERB RESOURCE.GROUP; discovery and what is no resource left out."""
    return {text for request in requests if (text := _right(request.verb, request.uri))}


def _right(verb: str, uri: str) -> str:
    path = uri.partition("?")[0].strip("/").split("/")
    parts = path[3:] if path[0] == "apis" else path[2:] if path[0] == "api" else []
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    if not parts:
        return ""
    subresource = f"/{parts[2]}" if len(parts) > 2 else ""
    return f"{verb} {_resource(parts[0] + subresource, path[1] if path[0] == 'apis' else '')}"


def _resource(name: str, group: str) -> str:
    """A resource with its group: two operators have externalsecrets."""
    return f"{name}.{group}" if group else name


def allowed(documents: Iterable[dict[str, Any]]) -> set[str]:
    """What roles allow, in the same words."""
    rules = [rule for document in documents for rule in document["rules"]]
    return {
        f"{verb} {_resource(resource, group)}"
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def requests_of(shop: Shop, since: int) -> list[Request]:
    return shop.cluster.requests(since, f"system:serviceaccount:{shop.namespace}:{USER}")


def every(verbs: str, resources: str) -> Iterator[str]:
    yield from (f"{verb} {resource}" for verb in verbs.split() for resource in resources.split())


def done_well(done: Done) -> Done:
    assert done.code == 0, done.out + done.err
    return done


def operators_overlays(shop: Shop, bao: OpenBao) -> None:
    """Overlays whose operators read Vault and KMS, and for which nobody has to do anything first."""
    vault = Vault(bao, shop)
    shop.vault_overlay(vault.source, vault.kubernetes())
    shop.ack_overlay()


def test_the_role_of_diff_suffices_for_every_backend_and_is_no_wider(
    shop: Shop, bao: OpenBao, ack_secret_manager: AckSecretManager
) -> None:
    """A Secret whose managedFields are gone is read; else the list is enough."""
    operators_overlays(shop, bao)
    shop.external_overlay()
    shop.store(token="one", password="p")
    shop.sealed_overlay()
    shop.seal(token="one", password="p")
    shop.secret_overlay()
    done_well(shop.ksecret("sync", "test", "--restart=never"))
    reset = [{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]
    shop.kubectl("patch", "secret", "app", "--type=json", f"--patch={json.dumps(reset)}")
    kubeconfig, start = user_with(shop, "ksecret-diff"), shop.cluster.audit_log.stat().st_size
    for overlay in ("test", "prod", "manual", "vso", "ack"):
        done = shop.ksecret("diff", overlay, KUBECONFIG=kubeconfig)
        assert done.code in (0, 1) and "refused" not in done.err, done.err
    assert asked(requests_of(shop, start)) == allowed(roles(shop, "ksecret-diff"))


def test_the_role_of_sync_suffices_from_nothing_to_the_roll_out_and_is_no_wider(
    shop: Shop, bao: OpenBao, ack_secret_manager: AckSecretManager
) -> None:
    """All overlays and their stores are applied for the first time, then taken over from kubectl."""
    operators_overlays(shop, bao)
    ack_secret_manager.values |= {"token": "one", "password": "p"}
    shop.external_overlay()
    shop.store(token="one", password="p")
    kubeconfig, start = user_with(shop, "ksecret-sync"), shop.cluster.audit_log.stat().st_size
    shop.kubectl("apply", "--server-side", "-f", str(shop.project.root / "overlays/base/workloads.yaml"))
    done_well(shop.ksecret("sync", "test", KUBECONFIG=kubeconfig))
    shop.kubectl("delete", "externalsecret.external-secrets.io", "app")
    shop.kubectl("wait", "--for=delete", "secret/app", "--timeout=30s")
    shop.sealed_overlay()
    shop.seal(token="two", password="p")
    done_well(shop.ksecret("sync", "prod", KUBECONFIG=kubeconfig))
    _own_store(shop)
    # Without a client id the store is not ready; it is applied all the same, and the operator asks no cloud.
    assert "missing clientID" in shop.ksecret("sync", "azure", "--timeout=1s", KUBECONFIG=kubeconfig).err
    for overlay in ("azure", "prod", "ack", "vso"):
        if overlay in ("ack", "vso"):
            shop.kubectl("delete", "sealedsecret", "app", "--cascade=orphan", "--ignore-not-found")
            done_well(shop.ksecret("sync", overlay, "--adopt", KUBECONFIG=kubeconfig))
        shop.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(shop.project.root / "overlays" / overlay))
        shop.ksecret("sync", overlay, "--dry-run=server", "--adopt", KUBECONFIG=kubeconfig)
    # What is applied for the first time is a patch in the log, and needs create, too.
    created = {right for right in allowed(roles(shop, "ksecret-sync")) if right.startswith("create ")}
    unseen = created | UNSERVED | set(every("get patch", "statefulsets.apps daemonsets.apps"))
    assert asked(requests_of(shop, start)) == allowed(roles(shop, "ksecret-sync")) - unseen


def _own_store(shop: Shop) -> None:
    """An overlay whose store is rendered."""
    store = {"name": "vault", "auth": {"workloadIdentity": {"serviceAccountName": "shop"}}}
    shop.external_overlay("azure", store=store)
    shop.cluster.user(shop.namespace, "shop")


def test_the_role_of_sync_suffices_for_the_secrets_that_it_writes_itself(shop: Shop) -> None:
    shop.secret_overlay()
    shop.sops_overlay(age("anna").recipient)
    shop.values(token="one", password="p")
    done_well(shop.ksecret("seal", "sops"))
    kubeconfig, start = user_with(shop, "ksecret-sync-plain"), shop.cluster.audit_log.stat().st_size
    shop.kubectl("apply", "--server-side", "-f", str(shop.project.root / "overlays/base/workloads.yaml"))
    done_well(shop.ksecret("sync", "manual", KUBECONFIG=kubeconfig))
    identity = {"SOPS_AGE_KEY": age("anna").identity}
    done_well(shop.ksecret("sync", "sops", "--restart=always", "--adopt", KUBECONFIG=kubeconfig, **identity))
    unseen = {"create secrets"} | UNSERVED | set(every("get patch", "statefulsets.apps daemonsets.apps"))
    assert asked(requests_of(shop, start)) == allowed(roles(shop, "ksecret-sync-plain")) - unseen


def test_the_roles_of_pin_certificate_and_import_suffice(shop: Shop) -> None:
    shop.sealed_overlay()
    shop.seal(token="one", password="p")
    shop.external_overlay()
    shop.store(token="one", password="p")
    done_well(shop.ksecret("sync", "test", "--restart=never"))
    shop.kubectl("create", "secret", "generic", "other", "--from-literal=key=value")
    kubeconfig = user_with(shop, "ksecret-pin", "ksecret-certificate", "ksecret-import")
    done_well(shop.ksecret("cluster", "pin", "prod", KUBECONFIG=kubeconfig))
    done_well(shop.ksecret("certificate", "prod", "--fetch", KUBECONFIG=kubeconfig))
    done_well(shop.ksecret("import", *_import(shop), KUBECONFIG=kubeconfig))


def _import(shop: Shop) -> tuple[str, ...]:
    return ("live", "--from-cluster", "-n", shop.namespace, "--into", "elsewhere", "--dry-run")


def unanswered(shop: Shop, overlay: str, kubeconfig: str) -> list[dict[str, Any]]:
    """What doctor could not ask; all else that it says of the user itself is that it can read Secrets."""
    steps = json.loads(shop.ksecret("doctor", overlay, "--output=json", KUBECONFIG=kubeconfig).out)["steps"]
    named = [step["subject"] for step in steps if step["verdict"] == "failed"]
    assert f"rolebinding.{rights.RBAC}/{shop.namespace}-ksecret-doctor" in named
    return [step for step in steps if step["verdict"] == "unknown"]


def test_the_roles_of_doctor_leave_no_question_open(shop: Shop) -> None:
    """With readers, so that all of RBAC is asked; others than the operators' and Kubernetes' own are named."""
    shop.project.declare("app", {"token": {}, "password": {}}, readers=[rights.READER])
    shop.external_overlay()
    shop.store(token="one", password="p")
    done_well(shop.ksecret("sync", "test", "--restart=never"))
    shop.sealed_overlay()
    shop.seal(token="one", password="p")
    kubeconfig = user_with(shop, "ksecret-doctor", "ksecret-doctor-sealed")
    assert unanswered(shop, "test", kubeconfig) == []
    shop.kubectl("delete", "externalsecret", "app")
    shop.kubectl("wait", "--for=delete", "secret/app", "--timeout=30s")
    start = shop.cluster.audit_log.stat().st_size
    assert unanswered(shop, "prod", kubeconfig) == []
    done_well(shop.ksecret("sync", "prod", "--restart=never"))
    assert unanswered(shop, "prod", kubeconfig) == []
    asked_for = asked(requests_of(shop, start))
    expected = {"create services/proxy", "list sealedsecrets.bitnami.com", "list cronjobs.batch", "list pods"}
    assert expected <= asked_for
    # Where else the ciphertext and the controller are is asked beyond the roles, and not needed.
    refused = {request.uri.partition("?")[0] for request in requests_of(shop, start) if request.status == 403}
    assert refused <= {"/apis/bitnami.com/v1alpha1/sealedsecrets", "/api/v1/services"}


def mended(shop: Shop, kubeconfig: str, *arguments: str, **variables: str) -> int:
    """Run a command, and as an administrator each hint that it prints, until it ends well; how many hints it took."""
    tools = f"{Path(peer('kubectl')).parent}:/usr/bin:/bin"
    home = shop.project.environment["HOME"]
    administrator = {"PATH": tools, "HOME": home, "KUBECONFIG": str(shop.cluster.kubeconfig)}
    for number in range(16):
        done = shop.ksecret(*arguments, KUBECONFIG=kubeconfig, **variables)
        hints = HINT.findall(done.out + done.err)
        if not hints:
            assert done.code in (0, 1), done.err
            return number
        for command in dict.fromkeys(hints):
            subprocess.run(["sh", "-ec", command], env=administrator, check=True, capture_output=True)
    raise AssertionError(f"{arguments} still lacks a right: {done.err}")


def test_each_hint_gives_the_right_so_that_the_next_run_comes_further(shop: Shop) -> None:
    """From no right at all, for each command, until nothing is refused: no role of a hint is in the way of another."""
    shop.external_overlay()
    shop.store(token="one", password="p")
    shop.sealed_overlay()
    shop.seal(token="one", password="p")
    shop.kubectl("apply", "--server-side", "-f", str(shop.project.root / "overlays/base/workloads.yaml"))
    kubeconfig = str(shop.cluster.user(shop.namespace, USER))
    assert mended(shop, kubeconfig, "cluster", "pin", "test") == 1
    assert mended(shop, kubeconfig, "certificate", "prod", "--fetch") == 1
    assert mended(shop, kubeconfig, "sync", "test") > 2
    assert mended(shop, kubeconfig, "diff", "prod") > 0
    assert mended(shop, kubeconfig, "import", *_import(shop)) > 0


def test_who_may_not_impersonate_gets_the_right_to_be_that_user_alone(shop: Shop) -> None:
    shop.external_overlay()
    kubeconfig = str(shop.cluster.user(shop.namespace, USER))
    shop.kubectl("create", "role", "pinning", "--verb=get", "--resource=namespaces")
    shop.kubectl("create", "rolebinding", "pinning", "--role=pinning", f"--user=anna-{shop.namespace}")
    assert mended(shop, kubeconfig, "cluster", "pin", "test", f"--as=anna-{shop.namespace}") == 1
    refused = shop.ksecret("cluster", "pin", "test", "--as=somebody", KUBECONFIG=kubeconfig)
    assert refused.code == 3 and "--resource-name='somebody'" in refused.err


def test_what_leads_to_a_secret_is_what_the_api_server_allows(shop: Shop) -> None:
    """The table of rights against the real authorizer, and the two verbs that answer with whole Secrets."""
    shop.cluster.apply(*rights.objects(shop.namespace))
    verbs = ("get", "list", "watch", "patch", "deletecollection")
    reviews = [_review(shop.namespace, account, verb) for account in rights.CASES for verb in verbs]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": reviews})
    template = '--output=go-template={{.spec.user}} {{.status.allowed}}{{"\\n"}}'
    answers = shop.cluster.kubectl("create", "--filename=-", template, stdin=listed).splitlines()
    can = {answer.split()[0].rpartition(":")[2] for answer in answers if answer.endswith(" true")}
    assert can == {name for name, case in rights.CASES.items() if case.expected == "error"}


def _review(namespace: str, account: str, verb: str) -> dict[str, Any]:
    attributes = {"namespace": namespace, "verb": verb, "resource": "secrets"}
    if verb != "deletecollection":  # which names no object
        attributes["name"] = "app"
    user = f"system:serviceaccount:{namespace}:{account}"
    spec = {"user": user, "resourceAttributes": attributes}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


@pytest.mark.parametrize(
    ("account", "method", "path"), [("patch", "PATCH", "/app"), ("deletecollection", "DELETE", "")]
)
def test_patch_and_deletecollection_answer_with_whole_secrets(shop: Shop, account: str, method: str, path: str) -> None:
    """By an account that may do nothing else: the value comes back, which is why both count as reading."""
    shop.kubectl("create", "secret", "generic", "app", "--from-literal=token=canary-value")
    shop.cluster.apply(*rights.objects(shop.namespace))
    kubeconfig = json.loads(shop.cluster.user(shop.namespace, account).read_text())
    headers = {
        "Authorization": f"Bearer {kubeconfig['users'][0]['user']['token']}",
        "Content-Type": "application/merge-patch+json",
    }
    url = f"{shop.cluster.url}/api/v1/namespaces/{shop.namespace}/secrets{path}"
    request = urllib.request.Request(url, b"{}" if method == "PATCH" else None, headers, method=method)
    context = ssl.create_default_context(cafile=shop.cluster.certificate)
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:
        assert b"Y2FuYXJ5LXZhbHVl" in answer.read()
