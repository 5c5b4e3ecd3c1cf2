"""Argo CD's waves and hooks: what reads a Secret comes after it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubectl_ksecret.checks.waves import secret_is_hook, wave_order
from kubectl_ksecret.model.kubernetes import Subject
from kubectl_ksecret.model.resolution import Environment

from .landscapes import environment, expected, fetched, found, lines
from .projects import Project

RULES = (wave_order,)
WAVE, HOOK = "argocd.argoproj.io/sync-wave", "argocd.argoproj.io/hook"


@pytest.fixture(name="shop")
def _shop(tmp_path: Path) -> Environment:
    """An overlay that declares a Secret `app` with a key `password`."""
    project = Project(tmp_path)
    project.declare("app", {"password": {}})
    return environment(project)


def annotated(annotations: dict[str, str]) -> str:
    """Annotations, each on a line of its own."""
    return "  annotations:\n" + "".join(f"    {name}: {value!r}\n" for name, value in annotations.items())


def reader(annotations: dict[str, str], kind: str = "batch/v1 Job") -> str:
    """A workload whose init container reads the Secret."""
    version, name = kind.split()
    pod = "{initContainers: [{envFrom: [{secretRef: {name: app}}]}]}"
    metadata = f"metadata:\n  name: reader\n  namespace: shop\n{annotated(annotations)}"
    return f"apiVersion: {version}\nkind: {name}\n{metadata}spec: {{template: {{spec: {pod}}}}}\n"


BEFORE = [
    ({WAVE: "-1"}, {}),
    ({WAVE: "1"}, {WAVE: "2"}),
    ({WAVE: "9"}, {WAVE: "10"}),
    ({}, {WAVE: "+1"}),
    ({HOOK: "PreSync"}, {WAVE: "-5"}),
    ({HOOK: "PreSync", WAVE: "-2"}, {HOOK: "PreSync", WAVE: "-1"}),
    ({HOOK: "PostSync, PreSync"}, {}),
    ({WAVE: "7"}, {HOOK: "PostSync"}),
    ({HOOK: "Sync"}, {WAVE: "1"}),
]
AFTER = [
    ({}, {}),
    ({WAVE: "-1"}, {WAVE: "-1"}),
    ({WAVE: "10"}, {WAVE: "9"}),
    ({HOOK: "PostSync", WAVE: "-9"}, {WAVE: "9"}),
    ({}, {HOOK: "PreSync", WAVE: "9"}),
    ({HOOK: "PreSync", WAVE: "1"}, {HOOK: "PreSync"}),
    ({WAVE: "soon"}, {WAVE: "1"}),
    ({WAVE: "-1"}, {WAVE: "1.5"}),
    ({HOOK: "SyncFail"}, {WAVE: "1"}),
    ({HOOK: "Skip"}, {WAVE: "1"}),
    ({WAVE: "-1"}, {HOOK: "PostDelete"}),
]


@pytest.mark.parametrize(("first", "then"), BEFORE)
@pytest.mark.parametrize("kind", ["apps/v1 Deployment", "batch/v1 Job"])
def test_a_workload_before_its_secret_is_told(
    shop: Environment, kind: str, first: dict[str, str], then: dict[str, str]
) -> None:
    """By its wave, or by its hook; where it says neither, the Secret does."""
    (finding,) = found(RULES, reader(first, kind) + fetched("app", "password", annotations=then), shop)
    assert finding.rule == "wave-order"
    assert finding.message == f"{kind.split()[1]} reader comes before the ExternalSecret app that it needs"


@pytest.mark.parametrize(("first", "then"), AFTER)
def test_a_workload_with_or_after_its_secret_is_right(
    shop: Environment, first: dict[str, str], then: dict[str, str]
) -> None:
    """Nor is anything said of a wave that is no number, or of a hook that is no part of a sync."""
    assert found(RULES, reader(first) + fetched("app", "password", annotations=then), shop) == []


@pytest.mark.parametrize(
    ("first", "then", "subject", "line"),
    [
        ({"other": "x", WAVE: "-1"}, {WAVE: "1"}, "Job", 8),
        ({WAVE: "-1", HOOK: "PreSync"}, {}, "Job", 8),
        ({"other": "x"}, {WAVE: "1"}, "ExternalSecret", 10),
        ({WAVE: "-1"}, {HOOK: "PostSync"}, "ExternalSecret", 10),
    ],
)
def test_the_annotation_that_decides_is_the_place(
    shop: Environment, first: dict[str, str], then: dict[str, str], subject: str, line: int
) -> None:
    """That of what needs, if it has one; else that of what is needed."""
    (finding,) = found(RULES, reader(first) + fetched("app", "password", annotations=then), shop)
    assert finding.place is not None and finding.place.line == line
    assert finding.subject == Subject(subject, "shop", {"Job": "reader"}.get(subject, "app"))


@pytest.mark.parametrize(
    ("annotations", "count"),
    [
        ({HOOK: "PreSync"}, 1),
        ({HOOK: "Sync, PostSync"}, 1),
        ({"helm.sh/hook": "pre-install,pre-upgrade"}, 1),
        ({HOOK: "Skip"}, 0),
        ({WAVE: "-1"}, 0),
        ({}, 0),
    ],
)
def test_an_external_secret_that_is_a_hook_is_a_finding(
    shop: Environment, annotations: dict[str, str], count: int
) -> None:
    """Argo CD deletes it at each sync, and its Secret with it; one that does not own its Secret is left alone."""
    build = fetched("app", "password", annotations=annotations).removeprefix("---\n")
    findings = found([secret_is_hook], build, shop)
    assert [finding.severity for finding in findings] == ["warning"] * count
    orphan = build.replace("'data'", "'target': {'creationPolicy': 'Orphan'}, 'data'")
    assert found([secret_is_hook], orphan + "---\n" + reader(annotations), shop) == []


@pytest.mark.parametrize(
    ("kind", "spec", "count"),
    [
        ("secrets.hashicorp.com/v1beta1 VaultStaticSecret", {"destination": {"name": "app", "create": True}}, 1),
        ("secrets.hashicorp.com/v1beta1 VaultStaticSecret", {"destination": {"name": "app"}}, 0),
        ("alibabacloud.com/v1alpha1 ExternalSecret", {"data": [{"key": "app", "name": "token"}]}, 1),
    ],
)
def test_every_object_that_owns_its_secret_may_not_be_a_hook(
    shop: Environment, kind: str, spec: dict[str, Any], count: int
) -> None:
    """Vault Secrets Operator owns what it created alone; the finalizer of ack-secret-manager deletes the Secret."""
    version, name = kind.split()
    metadata = {"name": "app", "annotations": {HOOK: "PreSync"}}
    build = yaml.safe_dump({"apiVersion": version, "kind": name, "metadata": metadata, "spec": spec})
    assert len(found([secret_is_hook], build, shop)) == count


def test_the_advice_for_a_presync_hook_is_a_later_wave(shop: Environment) -> None:
    """The ExternalSecret must not become a hook itself."""
    (finding,) = found(RULES, reader({HOOK: "PreSync"}) + fetched("app", "password"), shop)
    assert finding.hint == (
        "a PreSync hook comes before all waves: make it a Sync hook, in a later wave than the ExternalSecret"
    )


def test_a_pod_that_starts_without_the_secret_needs_none(shop: Environment) -> None:
    """An optional reference waits for nothing."""
    optional = reader({WAVE: "-1"}).replace("name: app}", "name: app, optional: true}")
    assert found(RULES, optional + fetched("app", "password"), shop) == []


def test_one_of_two_that_provide_is_enough(shop: Environment) -> None:
    """The first one that is applied counts."""
    early = fetched("app", "password", annotations={WAVE: "-1"}).replace("app", "early", 1)
    early = early.replace("'data'", "'target': {'name': 'app'}, 'data'")
    late = fetched("app", "password", annotations={WAVE: "5"})
    assert found(RULES, reader({}) + late + early, shop) == []


def test_a_rollout_runs_the_pods_of_another_workload(shop: Environment) -> None:
    """workloadRef: the Deployment's references are the Rollout's."""
    rollout = f"""---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: runner
  namespace: shop
  annotations:
    {WAVE}: "-1"  # wave-order
spec:
  workloadRef: {{apiVersion: apps/v1, kind: Deployment, name: reader}}
"""
    build = reader({}, "apps/v1 Deployment") + fetched("app", "password") + rollout
    assert lines(found(RULES, build, shop)) == expected(build)


STORES = """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: early, namespace: shop, annotations: {argocd.argoproj.io/sync-wave: "-3"}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: late, namespace: shop}
---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: right, namespace: shop, annotations: {argocd.argoproj.io/sync-wave: "-2"}}
spec: {provider: {azurekv: {serviceAccountRef: {name: early}}}}
---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata:
  name: early
  namespace: shop
  annotations:
    argocd.argoproj.io/sync-wave: "-1"  # wave-order
spec: {provider: {azurekv: {serviceAccountRef: {name: late}}}}
---
apiVersion: external-secrets.io/v1
kind: ClusterSecretStore
metadata:
  name: late
  annotations:
    argocd.argoproj.io/sync-wave: "1"  # wave-order
spec:
  provider:
    vault: {auth: {kubernetes: {serviceAccountRef: {name: late, namespace: shop}}}}
---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: late, namespace: shop, annotations: {argocd.argoproj.io/sync-wave: "-2"}}
spec: {provider: {fake: {}}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: app
  namespace: shop
  annotations:
    argocd.argoproj.io/sync-wave: "-2"  # wave-order
spec:
  secretStoreRef: {name: right}
  data:
  - {secretKey: password, sourceRef: {storeRef: {name: early}}}
---
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: other, namespace: shop}
spec:
  secretStoreRef: {name: late, kind: ClusterSecretStore}
"""


def test_a_service_account_then_its_store_then_what_the_store_fetches(shop: Environment) -> None:
    """Stores of the namespace and of the cluster; an entry of an ExternalSecret may have a store of its own."""
    assert lines(found(RULES, STORES, shop)) == expected(STORES)


def test_a_store_comes_after_the_secret_that_it_signs_in_with(shop: Environment) -> None:
    """A service principal's Secret comes before the store."""
    store = f"""---
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata:
  name: vault
  namespace: shop
  annotations:
    {WAVE}: "-1"  # wave-order
spec: {{provider: {{azurekv: {{authSecretRef: {{clientId: {{name: app, key: password}}}}}}}}}}
"""
    build = "---\n{apiVersion: v1, kind: Secret, metadata: {name: app, namespace: shop}}\n" + store
    assert lines(found(RULES, build, shop)) == expected(build)
