"""Whatever workloads and manifests look like, `check` says what it finds or why it can't, and never a traceback."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kubectl_ksecret.checks.rules import OF_REPOSITORY
from kubectl_ksecret.checks.scope import Build, Outdated, Repository
from kubectl_ksecret.model.resolution import Environment
from kubectl_ksecret.objects import documents

from .deployed import OVERLAY, deployed, kustomize
from .landscapes import BUILD, environment, landscape
from .projects import Project

POD = {
    "initContainers": [
        {"name": "a", "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "app", "key": "a"}}}]}
    ],
    "containers": [{"name": "b", "envFrom": [{"secretRef": {"name": "app"}}]}],
    "volumes": [
        {"name": "c", "secret": {"secretName": "app", "items": [{"key": "token", "path": "d"}]}},
        {"name": "d", "projected": {"sources": [{"secret": {"name": "app", "items": [{"key": "token"}]}}]}},
        {"name": "e", "csi": {"nodePublishSecretRef": {"name": "app"}}},
    ],
    "imagePullSecrets": [{"name": "pull"}],
    "serviceAccountName": "a",
}
METADATA = {
    "name": "app",
    "namespace": "shop",
    "annotations": {
        "argocd.argoproj.io/sync-wave": "1",
        "argocd.argoproj.io/hook": "PreSync,Sync",
        "reloader.stakater.com/auto": "false",
        "secret.reloader.stakater.com/reload": "a,b",
        "azure.workload.identity/client-id": "TODO",
    },
}
AZURE = {
    "authType": "WorkloadIdentity",
    "tenantId": "a",
    "authSecretRef": {"clientId": {"name": "a", "key": "b"}},
    "serviceAccountRef": {"name": "a", "namespace": "b"},
}
EXTERNAL = {
    "secretStoreRef": {"name": "vault", "kind": "SecretStore"},
    "target": {"name": "a", "creationPolicy": "Owner", "template": {"type": "Opaque", "data": {"a": "b"}}},
    "data": [{"secretKey": "a", "remoteRef": {"key": "b"}, "sourceRef": {"storeRef": {"name": "c"}}}],
    "dataFrom": [{"extract": {"key": "a"}, "sourceRef": {"generatorRef": {"name": "a"}}}],
}
SPECS: dict[tuple[str, str], dict[str, Any]] = {
    ("apps/v1", "Deployment"): {"spec": {"template": {"metadata": METADATA, "spec": POD}}},
    ("batch/v1", "CronJob"): {"spec": {"jobTemplate": {"spec": {"template": {"metadata": METADATA, "spec": POD}}}}},
    ("argoproj.io/v1alpha1", "Rollout"): {"spec": {"workloadRef": {"kind": "Deployment", "name": "app"}}},
    ("networking.k8s.io/v1", "Ingress"): {"spec": {"tls": [{"secretName": "a", "hosts": ["b"]}]}},
    ("v1", "ServiceAccount"): {"secrets": [{"name": "a"}], "imagePullSecrets": [{"name": "b"}]},
    ("external-secrets.io/v1", "ExternalSecret"): {"spec": EXTERNAL},
    ("external-secrets.io/v1beta1", "ClusterExternalSecret"): {"spec": {"externalSecretSpec": EXTERNAL}},
    ("external-secrets.io/v1", "SecretStore"): {"spec": {"provider": {"azurekv": AZURE}}},
    ("bitnami.com/v1alpha1", "SealedSecret"): {"spec": {"encryptedData": {"a": "AgAA"}, "template": {"type": "b"}}},
    ("v1", "Secret"): {"type": "Opaque", "data": {"a": "Yg=="}, "stringData": {"b": "c"}, "sops": {"mac": "d"}},
    ("v1", "List"): {"items": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"a": "b"}}]},
    ("kustomize.config.k8s.io/v1beta1", "Kustomization"): {
        "resources": ["a"],
        "components": ["b"],
        "generators": ["overlays/test/secrets/ksecret.yaml"],
        "validators": ["c"],
        "namespace": "shop",
        "namePrefix": "a-",
        "secretGenerator": [{"name": "a", "namespace": "b", "literals": ["c=d"], "envs": ["e"], "files": ["f=g"]}],
    },
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(),
    st.binary(max_size=3),
    st.text(max_size=6),
    st.sampled_from(["app", "vault", "token", "", "\0", "../..", "${A}", "a/b/c", "AgAA", "1", "-1"]),
)
NAMES = st.one_of(
    st.sampled_from(
        ["name", "key", "kind", "metadata", "spec", "data", "secretRef", "annotations", "items", "template"]
    ),
    st.text(max_size=3),
    st.integers(0, 2),
    st.none(),
)
ODD = st.recursive(SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=3))


@st.composite
def objects(draw: st.DrawFn) -> Any:
    """An object of a kind that rules look at, some of whose fields hold anything."""
    (version, kind), fields = draw(st.sampled_from(list(SPECS.items())))
    document = json.loads(json.dumps({"apiVersion": version, "kind": kind, "metadata": METADATA, **fields}))
    for _ in range(draw(st.integers(0, 5))):
        owner, step = draw(st.sampled_from(list(fields_of(document))))
        owner[step] = draw(ODD)
    return document


def fields_of(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every field of an object and every element of its lists, however deep: what holds it, and its name or number."""
    for step, below in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, step
        if isinstance(below, dict | list):
            yield from fields_of(below)


def text_of(documents: list[Any]) -> str:
    """As a file of several documents, whose names are text, as in every build."""
    return str(yaml.safe_dump_all(json.loads(json.dumps(documents, default=str)), sort_keys=False))


def seen(build: str, first: Environment, second: Environment) -> Repository:
    """Built, and lying in the tree, and each kustomization a layer; of two roots, which are compared."""
    scene = landscape(build, first, second)
    objects = scene.builds[0].objects
    kustomizations = [document for document in objects if document.subject.kind == "Kustomization"]
    layers = dict.fromkeys([scene.project.root], kustomizations[-1]) if kustomizations else {}
    roots = [
        Build(
            project=scene.project, folder=scene.project.root, environments=[environment], objects=objects, layers=layers
        )
        for environment in (first, second)
    ]
    some = [roots[0], roots[1].but(objects=objects[1:])]
    files = {BUILD: objects, "kustomization.yaml": documents.read(build, "kustomization.yaml")}
    return scene.but(
        builds=some,
        tree=files,
        outdated={environment.name: Outdated() for environment in (first, second)},
        tracked={"e"},
    )


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> list[Environment]:
    """Two overlays of one declaration."""
    project = Project(tmp_path_factory.mktemp("fuzz"))
    project.declare("app", {"token": {}, "user": {}})
    return [environment(project, name, namespace="shop") for name in ("test", "other")]


@settings(max_examples=400, deadline=None)
@given(documents=st.lists(objects(), min_size=1, max_size=4))
def test_no_rule_fails_on_any_objects(environments: list[Environment], documents: list[Any]) -> None:
    """All rules, in this process; what they say can be printed."""
    for finding in seen(text_of(documents), *environments).check(OF_REPOSITORY):
        assert str(finding)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project that lists extra.yaml."""
    project = deployed(tmp_path_factory.mktemp("shop"), "extra.yaml")
    project.git("add", "--all")
    return project


SLOW = settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@SLOW
@given(documents=st.lists(objects(), min_size=1, max_size=3))
def test_the_command_ends_as_it_should_on_any_file(shop: Project, documents: list[Any]) -> None:
    """Findings, or a message of what can't be built or read."""
    shop.write(f"{OVERLAY}/extra.yaml", text_of(documents))
    kustomize(shop, resources=["secrets", "extra.yaml"])
    ends_well(shop, "check")


@SLOW
@given(documents=st.lists(objects(), min_size=1, max_size=3))
def test_the_command_ends_as_it_should_on_any_build(shop: Project, documents: list[Any]) -> None:
    """The same of what somebody else has built."""
    ends_well(shop, "check", "--built", "-", stdin=text_of(documents))


def ends_well(project: Project, *arguments: str, stdin: str = "") -> None:
    """By one of the codes that it may have, and with a word on the right stream."""
    done = project.ksecret(*arguments, stdin=stdin)
    assert "Traceback" not in done.err
    assert (done.code, bool(done.out), done.err[:6]) in (
        (0, False, ""),
        (1, True, ""),
        (2, False, "error:"),
        (3, False, "error:"),
    )


def test_the_objects_as_they_are_are_found_fault_with(environments: list[Environment]) -> None:
    """So that the tests above look at something."""
    build = text_of([{"apiVersion": v, "kind": k, "metadata": METADATA, **fields} for (v, k), fields in SPECS.items()])
    assert len({finding.rule for finding in seen(build, *environments).check(OF_REPOSITORY)}) > 6
