"""`doctor` of what reads the Secrets: pods that wait, pods that hold older values, and the way of each key."""

import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..peers import peer, run
from ..projects import age
from .controlplane import Cluster
from .examinations import examine, follow
from .shops import Shop

pytestmark = [pytest.mark.cluster, pytest.mark.xdist_group("cluster")]
CANARY, PAIR = "canary-value", ("crt", "key")
ROUTES, START, PRESENT = "each container gets its keys", "each pod starts", "has the present values"


@pytest.fixture
def shop(tmp_path: Path, cluster: Cluster, namespace: str) -> Shop:
    return Shop(tmp_path, cluster, namespace)


@pytest.fixture
def manual(shop: Shop) -> Shop:
    """An overlay of plain Secrets that is deployed and synced."""
    shop.secret_overlay()
    shop.values(token=CANARY, password="p")
    assert shop.ksecret("sync", "manual").code == 0
    shop.deploy("manual")
    return shop


def key_of(secret: str, key: str) -> dict[str, Any]:
    return {"secretKeyRef": {"name": secret, "key": key}}


def container(name: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "image": name, **fields}


def workload(shop: Shop, kind: str, name: str, *containers: Mapping[str, Any], **pod: Any) -> dict[str, Any]:
    """A workload of no pods: only what it says counts."""
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, **pod}}
    spec: dict[str, Any] = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    version = "apps/v1"
    if kind == "CronJob":
        template["spec"]["restartPolicy"] = "Never"
        version, spec = "batch/v1", {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}
    metadata = {"name": name, "namespace": shop.namespace}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def pod(shop: Shop, name: str, status: Mapping[str, Any], **spec: Any) -> str:
    """A pod that no scheduler looks at, with a status that the test writes; returns its UID."""
    environment = [{"name": "MORE", "valueFrom": key_of("app", "more")}]
    stated = {"schedulerName": "nobody", "containers": [container("main", env=environment)], **spec}
    metadata = {"name": name, "namespace": shop.namespace}
    shop.cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": stated})
    patch = json.dumps({"status": status})
    shop.kubectl("patch", "pod", name, "--subresource=status", "--type=merge", "--patch", patch)
    return str(shop.object("pod", name)["metadata"]["uid"])


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    """The status of a pod whose only container waits."""
    state = {"waiting": {"reason": reason, "message": message}}
    status = {"name": "main", "image": "main", "imageID": "", "ready": False, "restartCount": 0, "state": state}
    return {"phase": "Pending", "containerStatuses": [status]}


def event(shop: Shop, name: str, uid: str, reason: str, message: str) -> None:
    """An Event of a pod, as the kubelet writes it."""
    subject = {"kind": "Pod", "name": name, "namespace": shop.namespace, "uid": uid, "apiVersion": "v1"}
    metadata = {"name": f"{name}.{reason.lower()}", "namespace": shop.namespace}
    body = {"reason": reason, "message": message, "type": "Warning", "involvedObject": subject}
    shop.cluster.apply({"apiVersion": "v1", "kind": "Event", "metadata": metadata, **body})


def test_the_way_of_each_key_is_listed_and_what_is_missing_is_named_with_the_next_step(manual: Shop) -> None:
    items = [{"key": "token", "path": "keys/token"}]
    volumes = [
        {"name": "all", "secret": {"secretName": "app"}},
        {"name": "one", "projected": {"sources": [{"secret": {"name": "app", "items": items}}]}},
    ]
    mounts = [{"name": "all", "mountPath": "/etc/app"}, {"name": "one", "mountPath": "/run/app"}]
    part = [{"name": "all", "mountPath": "/etc/token", "subPath": "token"}]
    files = workload(
        manual,
        "Deployment",
        "files",
        container("main", volumeMounts=mounts),
        container("proxy", volumeMounts=part, envFrom=[{"prefix": "APP_", "secretRef": {"name": "app"}}]),
        volumes=volumes,
    )
    optional = {"secretKeyRef": {"name": "maybe", "key": "x", "optional": True}}
    faulty = workload(
        manual,
        "StatefulSet",
        "faulty",
        container(
            "main",
            env=[
                {"name": "TOKEN", "valueFrom": key_of("app", "tokn")},
                {"name": "PASSWORD", "valueFrom": key_of("apps", "password")},
                {"name": "MAYBE", "valueFrom": optional},
            ],
        ),
    )
    nightly = workload(
        manual, "CronJob", "nightly", container("main", env=[{"name": "PW", "valueFrom": key_of("app", "password")}])
    )
    manual.cluster.apply(files, faulty, nightly)
    steps = {(step.subject, step.cause): step for step in examine(manual, "manual").all(ROUTES)}
    subpath = "/etc/token ← app/token (volume, by subPath: it never follows a change)"
    assert {key for key, step in steps.items() if step.verdict == "passed"} == {
        ("cronjob.batch/nightly", "PW ← app/password (env)"),
        ("deployment.apps/files", "main: /etc/app/* ← app (volume)"),
        ("deployment.apps/files", "main: /run/app/keys/token ← app/token (volume)"),
        ("deployment.apps/files", f"proxy: {subpath}"),
        ("deployment.apps/files", "proxy: APP_password, APP_token ← app (envFrom)"),
        ("deployment.apps/reader", "TOKEN ← app/token (env)"),
        ("statefulset.apps/faulty", "MAYBE ← maybe/x (env): there is no Secret maybe; it is optional"),
    }
    assert {cause: step.remedies for (_, cause), step in steps.items() if step.verdict == "failed"} == {
        "TOKEN ← app/tokn (env): the Secret has no such key; it has token": ["kubectl ksecret check manual"],
        "PASSWORD ← apps/password (env): there is no Secret apps; app is declared": ["kubectl ksecret check manual"],
    }
    of_one_key = examine(manual, "manual", "app/password").all(ROUTES)
    assert {step.subject for step in of_one_key} == {"cronjob.batch/nightly", "deployment.apps/files"}


def test_pods_that_wait_name_the_secret_or_the_key_and_the_next_step_brings_it(manual: Shop) -> None:
    manual.project.declare("app", {"token": {}, "password": {}, "more": {}})
    manual.values(token=CANARY, password="p", more=CANARY)
    no_key = f"couldn't find key more in Secret {manual.namespace}/app"
    pod(manual, "no-key", waiting("CreateContainerConfigError", no_key))
    pod(manual, "no-secret", waiting("CreateContainerConfigError", 'secret "gone" not found'))
    items = [{"key": "more", "path": "more"}]
    volumes = [{"name": "files", "secret": {"secretName": "app", "items": items}}]
    uid = pod(manual, "no-file", waiting("ContainerCreating"), volumes=volumes)
    mount = 'MountVolume.SetUp failed for volume "files" : references non-existent secret key: more'
    event(manual, "no-file", uid, "FailedMount", mount)
    uid = pod(manual, "no-image", waiting("ErrImagePull"), imagePullSecrets=[{"name": "registry"}])
    pull = "Unable to retrieve some image pull secrets (registry); attempting to pull the image may not succeed."
    event(manual, "no-image", uid, "FailedToRetrieveImagePullSecret", pull)
    examination = examine(manual, "manual")
    steps = {step.subject: step for step in examination.all(START)}
    sync, check = ["kubectl ksecret sync manual app"], ["kubectl ksecret check manual"]
    assert {subject: step.remedies for subject, step in steps.items()} == {
        "pod/no-key": sync,
        "pod/no-secret": check,
        "pod/no-file": sync,
        "pod/no-image": check,
    }
    assert [steps["pod/no-key"].cause, steps["pod/no-file"].cause] == [no_key, mount]
    follow(manual, steps["pod/no-key"])
    step = examine(manual, "manual").of("pod/no-key", START)
    assert step.cause == f"{no_key}; it is there now, and the kubelet tries again by itself"
    assert CANARY not in examination.done.out


def test_a_container_that_is_older_than_what_it_reads_is_named_and_the_restart_mends_it(manual: Shop) -> None:
    """A mounted file follows the Secret by itself, and a key that did not change is no reason to restart."""
    assert [step.verdict for step in examine(manual, "manual").all(PRESENT)] == ["passed"]
    time.sleep(1.1)  # the times have whole seconds
    manual.values(token=CANARY, password="new")
    assert manual.ksecret("sync", "manual", "--restart=never").code == 0
    assert [step.verdict for step in examine(manual, "manual").all(PRESENT)] == ["passed"]
    manual.values(token="new", password="new")
    assert manual.ksecret("sync", "manual", "--restart=never").code == 0
    [step] = examine(manual, "manual").all(PRESENT)
    assert (step.verdict, step.subject) == ("failed", "deployment.apps/reader")
    assert "before app was last written" in step.cause and step.cause.endswith("TOKEN may hold older values")
    follow(manual, step)
    assert [step.verdict for step in examine(manual, "manual").all(PRESENT)] == ["passed"]


def test_a_record_by_a_clock_that_is_ahead_makes_no_container_older(manual: Shop) -> None:
    text = manual.object("secret", "app")["metadata"]["annotations"]["ksecret.dev/sealed-keys"]
    ahead = re.sub(r"time=\d{4}", "time=2999", text)
    manual.kubectl("annotate", "secret", "app", "--overwrite", f"ksecret.dev/sealed-keys={ahead}")
    assert [step.verdict for step in examine(manual, "manual").all(PRESENT)] == ["passed"]


def test_after_a_sync_that_restarts_no_container_is_older(manual: Shop) -> None:
    time.sleep(1.1)
    manual.values(token="new", password="p")
    assert "restarted" in manual.ksecret("sync", "manual").out
    examination = examine(manual, "manual")
    assert (examination.done.code, examination.failed) == (0, [])


def test_a_paused_workload_is_named_with_the_command_that_resumes_it(manual: Shop) -> None:
    manual.kubectl("rollout", "pause", "deployment/reader")
    [step] = examine(manual, "manual").all("paused")
    assert step.verdict == "failed"
    follow(manual, step)
    assert examine(manual, "manual").all("paused") == []


def test_a_plain_secret_that_is_not_the_declared_one_is_named_and_mended(manual: Shop) -> None:
    """Written by hand after a sync, without a key, of another type, and made by hand from the beginning."""
    question = "the one that is declared"
    assert examine(manual, "manual").of("secret/app", question).verdict == "passed"
    time.sleep(1.1)
    manual.kubectl("patch", "secret", "app", "--patch", json.dumps({"stringData": {"token": "by hand"}}))
    step = examine(manual, "manual").of("secret/app", question)
    assert step.cause == "somebody wrote token with kubectl after it was synced"
    follow(manual, step)
    assert manual.secret()["token"] == CANARY
    manual.kubectl("patch", "secret", "app", "--type=json", '--patch=[{"op": "remove", "path": "/data/token"}]')
    step = examine(manual, "manual").of("secret/app", "exists with its keys")
    assert step.cause.startswith("it lacks token")
    follow(manual, step)
    assert manual.secret()["token"] == CANARY
    manual.project.declare("app", {"username": {}, "password": {}}, type="kubernetes.io/basic-auth")
    manual.values(username="u", password="p")
    step = examine(manual, "manual").of("secret/app", question)
    assert step.cause == "its type is Opaque, and kubernetes.io/basic-auth is declared: it has to be made anew"
    follow(manual, step)
    manual.kubectl("delete", "secret", "app")
    literals = ("--type=kubernetes.io/basic-auth", "--from-literal=username=x", "--from-literal=password=x")
    manual.kubectl("create", "secret", "generic", "app", *literals)
    step = examine(manual, "manual").of("secret/app", question)
    assert step.cause == "no record says where password, username came from: it was made by another hand"
    follow(manual, step)
    assert manual.secret() == {"username": "u", "password": "p"}


def test_a_secret_of_sops_is_compared_with_its_file_and_values_in_last_applied_go(shop: Shop) -> None:
    me = age("me")
    shop.project.environment["SOPS_AGE_KEY"] = me.identity
    shop.sops_overlay(me.recipient)
    shop.values(token=CANARY, password="p")
    assert shop.ksecret("seal", "sops").code == 0
    live = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app", "namespace": shop.namespace}}
    by_hand = {**live, "stringData": {"token": CANARY, "password": "p"}}
    shop.cluster.kubectl("apply", "--filename=-", stdin=json.dumps(by_hand))
    examination = examine(shop, "sops")
    step = examination.of("secret/app", "no annotation")
    assert step.cause.startswith("kubectl apply left its values in ")
    assert CANARY not in examination.done.out
    assert examination.of("secret/app", "the one that is declared").remedies == [
        "kubectl ksecret sync sops app --adopt"
    ]
    follow(shop, examination.of("secret/app", "the one that is declared"))
    assert CANARY not in json.dumps(shop.object("secret", "app")["metadata"])
    shop.values(token="new", password="p")
    assert shop.ksecret("seal", "sops", "app/token").code == 0
    step = examine(shop, "sops").of("secret/app", "the one that is declared")
    assert step.cause == "token: the file has another value than the Secret: it is not applied yet"
    follow(shop, step)
    assert shop.secret()["token"] == "new"


def test_whatever_reads_a_secret_is_looked_at_under_a_prefix_too(shop: Shop) -> None:
    """Live workloads, and what else the build has: an Ingress, and pods of a kind that the cluster does not serve."""
    login, pair = {".dockerconfigjson": {"remoteName": "login"}}, {f"tls.{name}": {"remoteName": name} for name in PAIR}
    shop.project.declare("registry", login, type="kubernetes.io/dockerconfigjson")
    shop.project.declare("web", pair, type="kubernetes.io/tls")
    items = [{"key": "token", "path": "keys/token"}]
    sources = [{"secret": {"name": "app", "items": items}}, {"secret": {"name": "gone", "optional": True}}]
    wait = container("wait", env=[{"name": "PASSWORD", "valueFrom": key_of("app", "password")}])
    main = container(
        "main",
        envFrom=[{"prefix": "APP_", "secretRef": {"name": "app"}}],
        volumeMounts=[{"name": "files", "mountPath": "/etc/app"}],
    )
    database = workload(
        shop,
        "StatefulSet",
        "database",
        main,
        initContainers=[wait],
        volumes=[{"name": "files", "projected": {"sources": sources}}],
        imagePullSecrets=[{"name": "registry"}],
    )
    tokn = container("main", env=[{"name": "TOKEN", "valueFrom": key_of("app", "tokn")}])
    nightly = workload(shop, "CronJob", "nightly", tokn)
    custom = workload(shop, "Deployment", "batch", tokn) | {"apiVersion": "example.org/v1", "kind": "Batch"}
    ingress = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "web"},
        "spec": {
            "defaultBackend": {"service": {"name": "web", "port": {"number": 80}}},
            "tls": [{"secretName": "web"}],
        },
    }
    shop.project.write("overlays/base/workloads.yaml", yaml.safe_dump_all([database, nightly, custom, ingress]))
    shop.external_overlay()
    text = f"resources: [../base, secrets]\nnamespace: {shop.namespace}\nnamePrefix: eu-\n"
    shop.project.write("overlays/test/kustomization.yaml", text)
    shop.store(token=CANARY, password="p", login="{}", crt="c", key="k")
    folder = shop.project.root / "overlays/test"
    built = [document for document in yaml.safe_load_all(run(peer("kustomize"), "build", folder)) if document]
    shop.cluster.apply(*(document for document in built if document["kind"] in ("StatefulSet", "CronJob")))
    assert shop.ksecret("sync", "test", "--restart=never").code == 0
    steps = examine(shop, "test").all(ROUTES)
    missing = "TOKEN ← eu-app/tokn (env): the Secret has no such key; it has token"
    assert [(step.subject, step.verdict, step.cause) for step in steps] == [
        ("statefulset.apps/eu-database", "passed", "main: APP_password, APP_token ← eu-app (envFrom)"),
        ("statefulset.apps/eu-database", "passed", "wait: PASSWORD ← eu-app/password (env)"),
        ("statefulset.apps/eu-database", "passed", "eu-registry (image pull)"),
        ("statefulset.apps/eu-database", "passed", "main: /etc/app/keys/token ← eu-app/token (volume)"),
        (
            "statefulset.apps/eu-database",
            "passed",
            "main: /etc/app/* ← gone (volume): there is no Secret gone; it is optional",
        ),
        ("cronjob.batch/eu-nightly", "failed", missing),
        ("batch.example.org/eu-batch", "failed", f"{missing}; as it is built"),
        ("ingress.networking.k8s.io/eu-web", "passed", "eu-web/tls.crt (tls); as it is built"),
        ("ingress.networking.k8s.io/eu-web", "passed", "eu-web/tls.key (tls); as it is built"),
    ]
    assert {step.remedies[0] for step in steps if step.verdict == "failed"} == {"kubectl ksecret check test"}


def test_older_pods_of_a_kind_that_kubectl_can_not_restart_are_named_with_what_makes_them(manual: Shop) -> None:
    """A ReplicaSet that no Deployment owns, and an owner of a kind of its own: new pods come when these are deleted."""
    metadata = {"labels": {"app": "bare"}}
    spec = {"containers": [container("main", env=[{"name": "TOKEN", "valueFrom": key_of("app", "token")}])]}
    replicas = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "bare", "namespace": manual.namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": metadata["labels"]},
            "template": {"metadata": metadata, "spec": spec},
        },
    }
    manual.cluster.apply(replicas)
    manual.kubectl("wait", "--for=create", "pod", "--selector=app=bare", "--timeout=30s")
    manual.kubectl("wait", "--for=condition=Ready", "pod", "--selector=app=bare", "--timeout=30s")
    time.sleep(1.1)
    manual.values(token="new", password="p")
    assert manual.ksecret("sync", "manual").code == 0
    [step] = [step for step in examine(manual, "manual").all(PRESENT) if step.verdict == "failed"]
    [pod] = json.loads(manual.kubectl("get", "pods", "--selector=app=bare", "--output=json"))["items"]
    assert (step.subject, step.remedies) == (
        "replicaset.apps/bare",
        [
            f"kubectl delete pod {pod['metadata']['name']} --namespace={manual.namespace}, "
            "if replicaset.apps/bare makes others in their place"
        ],
    )
    follow(manual, step)
    manual.kubectl("wait", "--for=condition=Ready", "pod", "--selector=app=bare", "--timeout=30s")
    assert [step for step in examine(manual, "manual").all(PRESENT) if step.verdict == "failed"] == []


def test_a_secret_of_another_overlay_of_the_namespace_leads_there(shop: Shop) -> None:
    shop.project.declare("db", {"url": {}})
    shop.secret_overlay("shop", {"overrides": {"db": {"omit": "The overlay db makes it"}}})
    shop.secret_overlay("db", {"overrides": {"app": {"omit": "The overlay shop makes it"}}})
    shop.values(token=CANARY, password="p", url="u")
    assert shop.ksecret("sync", "shop").code == 0
    both = [{"name": name.upper(), "valueFrom": key_of(name, key)} for name, key in (("app", "token"), ("db", "url"))]
    more = {"name": "MORE", "valueFrom": key_of("db", "url")}
    shop.cluster.apply(workload(shop, "Deployment", "web", container("main", env=[*both, more])))
    found, missing = examine(shop, "shop").all(ROUTES)
    assert found.cause == "APP ← app/token (env)"
    assert missing.cause == "DB ← db/url (env), and 1 more: there is no Secret db"
    assert missing.remedies == ["kubectl ksecret doctor db db/url, which declares it"]
    [step] = [step for step in examine(shop, "db", "db/url").failed if step.subject == "secret/db"]
    follow(shop, step)
    assert examine(shop, "shop").failed == []


def test_a_namespace_that_is_not_there_is_made_by_the_next_step(tmp_path: Path, cluster: Cluster) -> None:
    """It is said first: nothing can be applied before."""
    shop = Shop(tmp_path, cluster, "doctor-namespace")
    shop.secret_overlay()
    shop.values(token=CANARY, password="p")
    examination = examine(shop, "manual")
    step = examination.steps[0]
    assert (step.subject, step.cause) == ("namespace/doctor-namespace", "there is no such namespace in this cluster")
    assert examination.of("secret/app", "exists").cause == "there is no such Secret; see above: the namespace is there"
    follow(shop, step)
    assert shop.ksecret("sync", "manual").code == 0
    assert examine(shop, "manual").failed == []


def test_a_reader_whose_rendered_role_is_gone_can_read_again_after_the_next_step(shop: Shop) -> None:
    """By the real authorizer, too."""
    shop.project.declare("app", {"token": {}, "password": {}}, readers=["backend-sa"])
    shop.external_overlay(overlay={"access": {"create": True}})
    shop.store(token=CANARY, password="p")
    shop.deploy("test")
    question = "each reader can read"
    assert examine(shop, "test").of("secret/app", question).cause == "backend-sa"
    shop.kubectl("delete", "rolebinding", "app-readers")
    step = examine(shop, "test").of("secret/app", question)
    assert step.verdict == "failed"
    assert step.cause == "ServiceAccount backend-sa: no Role lets it read app, though the overlay has one rendered"
    follow(shop, step)
    assert examine(shop, "test").of("secret/app", question).verdict == "passed"
    account = f"--as=system:serviceaccount:{shop.namespace}:backend-sa"
    assert shop.kubectl("auth", "can-i", "get", "secret/app", account).strip() == "yes"
