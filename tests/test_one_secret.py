"""What an overlay's backend has for one Secret alone: scope, metadata, and an object of another name."""

from pathlib import Path

import yaml

from .builds import from_manifests, objects
from .projects import Project, opened_by_kubeseal, shop


def test_one_sealed_secret_has_a_scope_and_metadata_of_its_own(tmp_path: Path) -> None:
    """Kubeseal opens it under that scope; the other keeps the scope of the backend."""
    project = shop(tmp_path)
    project.declare("web", {"token": {"from": "app/token"}})
    own = {"scope": "cluster-wide", "metadata": {"annotations": {"argocd.argoproj.io/sync-wave": "-1"}}}
    project.sealed_overlay(overrides={"web": {"sealedSecret": own}})
    project.done("seal", "prod")
    annotations = {name: project.object(name)["metadata"].get("annotations") for name in ("app", "web")}
    assert annotations == {
        "app": None,
        "web": {"argocd.argoproj.io/sync-wave": "-1", "sealedsecrets.bitnami.com/cluster-wide": "true"},
    }
    moved = project.manifest("web").read_text().replace("namespace: shop-prod", "namespace: elsewhere")
    project.write("moved.yaml", moved)
    assert opened_by_kubeseal(project.root / "moved.yaml") == {"token": b"the token"}
    assert project.done("seal", "prod").startswith("prod: kept 3 keys as sealed")
    assert project.done("render", "--check") == ""


def test_a_wider_scope_of_one_secret_must_be_accepted(tmp_path: Path) -> None:
    """A pull request could bind a ciphertext to nothing, and copy it into another namespace."""
    project = shop(tmp_path)
    project.done("seal", "prod")
    project.sealed_overlay(overrides={"app": {"sealedSecret": {"scope": "cluster-wide"}}})
    done = project.untrusting("seal", "prod", "--reseal")
    assert (done.code, done.out) == (2, "")
    assert 'overrides: {"app": {"scope": "cluster-wide"}} (new)' in done.err


def test_a_prefix_reaches_the_object_and_leaves_the_secret_that_it_names(tmp_path: Path) -> None:
    """The workload and the Secret agree: neither is renamed, since no object has the Secret's name."""
    project = Project(tmp_path)
    project.declare("app", {"token": {}})
    project.overlay("test", {"externalSecret": {"store": {"name": "store"}}}, source={"names": "{remoteName}"},
                    overrides={"app": {"externalSecret": {"name": "app-es"}}})  # fmt: skip
    project.done("render", "--write")
    assert project.done("render", "--check") == ""
    container = {"name": "app", "image": "app:1", "envFrom": [{"secretRef": {"name": "app"}}]}
    workload = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "app"}, "spec": {"containers": [container]}}
    project.write("overlays/test/app.yaml", yaml.safe_dump(workload))
    kustomization = {"namePrefix": "eu-", "namespace": "shop-test", "resources": ["secrets", "app.yaml"]}
    project.write("overlays/test/kustomization.yaml", yaml.safe_dump(kustomization))
    built = {(o["kind"], o["metadata"]["name"]): o for o in objects(from_manifests(project.root / "overlays/test"))}
    assert built["ExternalSecret", "eu-app-es"]["spec"]["target"]["name"] == "app"
    assert built["Pod", "eu-app"]["spec"]["containers"][0]["envFrom"] == [{"secretRef": {"name": "app"}}]
    assert project.done("check", "--min-severity", "error") == ""
