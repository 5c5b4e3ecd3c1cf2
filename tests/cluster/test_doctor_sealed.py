"""`doctor` of SealedSecrets against the real controller: each fault is named, and the printed next step mends it."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ..peers import peer, run
from ..projects import certificate
from .controlplane import Cluster
from .examinations import Examination, Step, examine, follow
from .shops import Shop
from .standins import SEALED_SECRETS

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
CANARY, ENCODED = "canary-value", "Y2FuYXJ5LXZhbHVl"
LABEL = "sealedsecrets.bitnami.com/sealed-secrets-key"
# Each Secret has the one key `NAME-key`, but for app. What becomes of each stands in `break_`.
OTHERS = ("edited", "later", "moved", "old", "renamed", "taken", "torn", "wide")
OPENS, UNSEALED = "the controller can open", "is applied and unsealed"


class Ward(NamedTuple):
    """A shop with many faults, what doctor said while all was well, and what it says of the faults."""

    shop: Shop
    healthy: Examination
    ill: Examination


def object_name(name: str) -> str:
    return f"sealedsecret.bitnami.com/{name}"


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Iterator[Ward]:
    namespace = "doctor-sealed"
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    shop = Shop(tmp_path_factory.mktemp("ward"), cluster, namespace)
    for name in OTHERS:
        shop.project.declare(name, {f"{name}-key": {}})
    shop.sealed_overlay()
    backend = {"sealedSecret": {"certificate": "../../prod/secrets/sealing.pem"}}
    source = {"dotenv": {"file": "../../../.env"}}
    shop.project.overlay("stage", backend, source=source, namespace=f"{namespace}-stage")
    values = {f"{name}_key": CANARY for name in OTHERS}
    shop.seal(token=CANARY, password="p", **values)
    add_key(cluster)
    shop.ksecret("sync", "prod")
    shop.deploy("prod")
    healthy = examine(shop, "prod")
    break_(shop)
    yield Ward(shop, healthy, examine(shop, "prod"))
    shop.kubectl("delete", "sealedsecrets", "--all")


def add_key(cluster: Cluster) -> None:
    """Give the controller a newer key beside the one that it has, as its renewal does each month."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    metadata = {"name": "newer", "namespace": "kube-system", "labels": {LABEL: "active"}}
    pair = {"tls.key": pem, "tls.crt": certificate(key, begins=timedelta(0), ends=timedelta(days=365)).decode()}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "kubernetes.io/tls"}
    cluster.apply({**secret, "stringData": pair})
    restart(cluster)


def restart(cluster: Cluster) -> None:
    with cluster.without(SEALED_SECRETS.name):
        pass


def break_(shop: Shop) -> None:
    """Rotate the older key away, and put a fault into each of the Secrets but app."""
    cluster = shop.cluster
    keys = cluster.kubectl("get", "secrets", "--namespace=kube-system", f"--selector={LABEL}", "--output=name").split()
    cluster.kubectl("delete", "--namespace=kube-system", *(key for key in keys if key != "secret/newer"))
    shop.kubectl("delete", "sealedsecret", "taken")
    restart(cluster)
    assert shop.ksecret("certificate", "prod", "--fetch").code == 0
    sealed = shop.ksecret("seal", "prod", "app", *(name for name in OTHERS if name != "old"), "--reseal")
    assert sealed.code == 0, sealed.err
    put(shop, "moved", raw(shop, "moved", namespace=f"{shop.namespace}-stage"))
    put(shop, "wide", raw(shop, "wide", scope="namespace-wide"))
    put(shop, "renamed", shop.project.object("app")["spec"]["encryptedData"]["token"])
    put(shop, "torn", shop.project.object("torn")["spec"]["encryptedData"]["torn-key"][:300])
    shop.kubectl("wait", "--for=delete", "secret/taken", "--timeout=30s")
    literals = (f"--from-literal=taken-key={CANARY}", "--from-literal=extra=x")
    shop.kubectl("create", "secret", "generic", "taken", *literals)
    shop.kubectl("apply", "--server-side", "--force-conflicts", "-k", str(shop.project.root / "overlays/prod"))
    wait_until(lambda: all(is_seen(shop, name) for name in OTHERS))
    shop.kubectl("delete", "secret", "moved")
    assert shop.ksecret("seal", "prod", "later", "--reseal").code == 0
    time.sleep(1.1)  # managedFields has whole seconds
    patch = json.dumps({"stringData": {"edited-key": "by hand"}})
    shop.kubectl("patch", "secret", "edited", "--patch", patch)
    applied = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app", "namespace": shop.namespace}}
    cluster.kubectl("apply", "--filename=-", stdin=json.dumps({**applied, "data": {"token": ENCODED}}))


def raw(shop: Shop, name: str, *, namespace: str = "", scope: str = "strict") -> str:
    """A value as kubeseal seals it."""
    pem = shop.project.root / "overlays/prod/secrets/sealing.pem"
    place = (f"--namespace={namespace or shop.namespace}", f"--name={name}", f"--scope={scope}")
    return run(peer("kubeseal"), "--raw", "--from-file=/dev/stdin", f"--cert={pem}", *place, input=CANARY).strip()


def put(shop: Shop, name: str, ciphertext: str) -> None:
    """Write a ciphertext into a committed SealedSecret, as people do."""
    manifest = shop.project.object(name)
    manifest["spec"]["encryptedData"][f"{name}-key"] = ciphertext
    shop.project.manifest(name).write_text(yaml.safe_dump(manifest, sort_keys=False))


def is_seen(shop: Shop, name: str) -> bool:
    live = shop.object("sealedsecret", name)
    return bool(live.get("status", {}).get("observedGeneration") == live["metadata"]["generation"])


def wait_until(condition: Any) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.2)


def test_where_all_is_well_every_step_passes_and_an_older_certificate_that_still_opens_is_named(ward: Ward) -> None:
    assert ward.healthy.done.code == 0, ward.healthy.failed
    step = ward.healthy.of("overlays/prod/secrets/sealing.pem")
    assert (step.verdict, "an older one, whose key the controller still has" in step.cause) == ("passed", True)
    [needed] = ward.healthy.all("the sealing keys")
    assert needed.cause.startswith("10 keys sealed for SHA256:")
    [route] = ward.healthy.all("each container gets its keys")
    assert (route.subject, route.cause) == ("deployment.apps/reader", "TOKEN ← app/token (env)")


def test_secrets_that_arrived_are_not_asked_for_one_by_one(ward: Ward) -> None:
    """The controller takes two questions a second; one Secret of each sealing key stands for the others."""
    causes = Counter(step.cause for step in ward.healthy.all(OPENS))
    assert causes == {"": 1, "unsealed in this very form by a key that also opens app": len(OTHERS)}


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("moved", "moved-key: sealed for the namespace doctor-sealed-stage, and deployed to doctor-sealed"),
        ("renamed", "renamed-key: sealed for a Secret named app, and deployed as renamed"),
        ("wide", "wide-key: sealed with the scope namespace-wide, and deployed as strict"),
        ("torn", "the ciphertext of torn-key is cut off"),
    ],
)
def test_what_a_value_is_bound_to_is_found_out(ward: Ward, name: str, cause: str) -> None:
    step = ward.ill.of(object_name(name), OPENS)
    assert (step.verdict, step.cause) == ("failed", cause)
    assert step.remedies[0].startswith(f"kubectl ksecret seal prod {name}")


def test_a_key_that_was_rotated_away_is_told_from_a_name_that_changed(ward: Ward) -> None:
    step = ward.ill.of(object_name("old"), OPENS)
    assert step.cause.startswith("the controller has no key that opens old-key, under whatever name, namespace or ")
    [needed] = [step.cause for step in ward.ill.all("the sealing keys") if step.cause.startswith("1 key sealed for ")]
    assert step.cause.endswith(needed.removeprefix("1 key "))


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("later", "the cluster has another form of it than the build: it is not applied yet"),
        (
            "taken",
            "a Secret of this name exists, made by hand, and is not the controller's; it would lose extra",
        ),
        ("edited", "somebody wrote edited-key into the Secret with kubectl after it was unsealed"),
        ("wide", f"no key could decrypt secret (wide-key); see above: {OPENS} each SealedSecret"),
    ],
)
def test_why_a_sealed_secret_is_not_its_secret(ward: Ward, name: str, cause: str) -> None:
    step = ward.ill.of(object_name(name), UNSEALED)
    assert (step.verdict, step.cause) == ("failed", cause)


def test_a_missing_secret_points_to_the_step_that_broke(ward: Ward) -> None:
    step = ward.ill.of("secret/moved", "exists")
    assert (step.verdict, step.cause) == ("failed", f"there is no such Secret; see above: {OPENS} each SealedSecret")


def test_values_in_last_applied_are_found_and_not_shown(ward: Ward) -> None:
    step = ward.ill.of("secret/app", "no annotation")
    assert step.cause == "kubectl apply left its values in kubectl.kubernetes.io/last-applied-configuration too"
    for output in (ward.ill, ward.healthy):
        assert CANARY not in output.done.out + output.done.err
        assert ENCODED not in output.done.out + output.done.err


def test_each_kind_is_listed_once_however_many_secrets_there_are(ward: Ward) -> None:
    start = ward.shop.cluster.audit_log.stat().st_size
    examine(ward.shop, "prod")
    requests = ward.shop.cluster.requests(start, "admin")
    lists = Counter(request.uri.partition("?")[0] for request in requests if request.verb == "list")
    assert max(lists.values()) == 1, lists
    assert {request.verb for request in requests} == {"get", "list", "create"}
    assert {request.uri for request in requests if request.verb == "create"} == {f"{SEALED_SECRETS.proxy}/v1/verify"}


def test_the_next_steps_mend_every_fault(ward: Ward) -> None:
    """Round for round, the first step that fails of each object is followed, as a person would."""
    shop = ward.shop
    for _ in range(4):
        examination = examine(shop, "prod")
        first: dict[str, Step] = {}
        for step in examination.failed:
            if step.remedies and step.remedies[0].startswith("kubectl"):
                first.setdefault(step.subject, step)
        if not first:
            break
        for step in first.values():
            follow(shop, step)
    assert examination.done.code == 0, examination.failed
    assert {name: shop.secret(name) for name in OTHERS} == {name: {f"{name}-key": CANARY} for name in OTHERS}
    live = shop.object("secret", "app")
    assert CANARY not in json.dumps(live["metadata"]) and ENCODED not in json.dumps(live["metadata"])


def test_one_key_is_read_by_the_printed_command_alone(ward: Ward) -> None:
    examination = examine(ward.shop, "prod", "app/token")
    [step] = examination.all("one key")
    assert CANARY not in examination.done.out
    assert follow(ward.shop, step) == CANARY


def test_a_controller_that_is_down_is_named_with_the_command_that_brings_it_back(ward: Ward) -> None:
    shop, name = ward.shop, f"statefulset/{SEALED_SECRETS.name}"
    shop.cluster.kubectl("scale", name, "--namespace=kube-system", "--replicas=0")
    shop.cluster.kubectl("wait", "--for=delete", f"pod/{SEALED_SECRETS.pod}", "--namespace=kube-system")
    step = examine(shop, "prod").of(f"service/{SEALED_SECRETS.name}")
    assert (step.verdict, step.cause) == ("failed", f"{name} is scaled to 0")
    follow(shop, step)
    wait_until(lambda: shop.cluster.programs[SEALED_SECRETS.name].running)
    shop.cluster.wait(SEALED_SECRETS.name)
    assert examine(shop, "prod").of(f"service/{SEALED_SECRETS.name}").verdict == "passed"


def test_a_controller_of_another_name_is_looked_for(ward: Ward) -> None:
    examination = examine(ward.shop, "prod", "--controller-name=mine")
    [step] = examination.all("controller answers")
    assert (step.verdict, "has no Service mine in kube-system" in step.cause) == ("failed", True)
    [remedy] = step.remedies
    assert (
        remedy
        == f"kubectl ksecret doctor prod --controller-namespace=kube-system --controller-name={SEALED_SECRETS.name}"
    )
    found = examine(ward.shop, *remedy.split()[3:])
    assert found.of(f"service/{SEALED_SECRETS.name}").verdict == "passed"


def test_with_too_few_rights_each_question_names_the_missing_verb(ward: Ward) -> None:
    kubeconfig = ward.shop.cluster.user(ward.shop.namespace, "nobody")
    examination = examine(ward.shop, "prod", KUBECONFIG=str(kubeconfig))
    assert examination.done.code == 1
    unknown = [step for step in examination.steps if step.verdict == "unknown"]
    assert not [step for step in unknown if not step.remedies]
    hints = " ".join(step.remedies[0] for step in unknown)
    for right in (
        "--verb=get --resource=services/proxy",
        "--verb=list --resource=sealedsecrets.bitnami.com",
        "--verb=get --resource=secrets",
        "--verb=list --resource=deployments.apps",
        "--verb=list --resource=pods",
    ):
        assert right in hints


def test_a_prefix_of_the_build_breaks_what_is_sealed_strictly_and_the_way_out_works(
    tmp_path: Path, cluster: Cluster, namespace: str
) -> None:
    shop = Shop(tmp_path, cluster, namespace)
    shop.sealed_overlay()
    shop.seal(token=CANARY, password="p")
    text = f"resources: [../base, secrets]\nnamespace: {namespace}\nnamePrefix: eu-\n"
    shop.project.write("overlays/prod/kustomization.yaml", text)
    step = examine(shop, "prod").of(object_name("eu-app"), OPENS)
    assert step.cause == "password, token: sealed for a Secret named app, and deployed as eu-app"
    assert step.remedies[0].startswith("write scope: namespace-wide in overlays/prod/secrets/ksecret.yaml, since ")
    file = shop.project.root / "overlays/prod/secrets/ksecret.yaml"
    overlay = yaml.safe_load(file.read_text())
    overlay["spec"]["backend"]["sealedSecret"]["scope"] = "namespace-wide"
    file.write_text(yaml.safe_dump(overlay))
    shop.seal("prod", "app", "--reseal", token=CANARY, password="p")
    assert examine(shop, "prod").of(object_name("eu-app"), OPENS).verdict == "passed"


def test_a_status_that_is_switched_off_is_said_and_no_failure(tmp_path: Path, cluster: Cluster, namespace: str) -> None:
    """The record on the Secret and the Events take the place of the conditions."""
    shop, program = Shop(tmp_path, cluster, namespace), cluster.programs[SEALED_SECRETS.name]
    shop.project.declare("taken", {"taken-key": {}})
    shop.sealed_overlay()
    shop.seal(token=CANARY, password="p", taken_key=CANARY)
    shop.kubectl("create", "secret", "generic", "taken", "--from-literal=taken-key=x")
    program.command.append("--update-status=false")
    try:
        restart(cluster)
        shop.deploy("prod")
        shop.kubectl("wait", "--for=create", "secret/app", "--timeout=30s")
        wait_until(lambda: "not managed" in shop.kubectl("get", "events"))
        examination = examine(shop, "prod")
    finally:
        program.command.pop()
        restart(cluster)
    step = examination.of(object_name("app"), UNSEALED)
    assert (step.verdict, "switched off with --update-status=false" in step.cause) == ("passed", True)
    assert "is not the controller's" in examination.of(object_name("taken"), UNSEALED).cause
