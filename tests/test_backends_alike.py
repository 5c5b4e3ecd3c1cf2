"""Every backend under every command: one Secret, its values in Vault or in KMS, and no traceback."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubectl_ksecret.model.types.backends import BACKENDS

from .kms import Kms
from .openbao import OpenBao
from .projects import Project, age, sealing

KUBERNETES = {"kubernetes": {"role": "shop", "serviceAccountName": "shop-sa"}}
RRSA = {"rrsa": {"oidcProviderARN": "acs:ram::1:oidc-provider/ack", "ramRoleARN": "acs:ram::1:role/shop"}}
STATED: Mapping[str, Mapping[str, Any]] = {
    "externalSecret": {"store": {"name": "vault", "auth": KUBERNETES}},
    "sealedSecret": {"certificate": "sealing.pem"},
    "sops": {"age": [age("bob").recipient]},
    "secret": {},
    "vaultSecretsOperator": {"refreshAfter": "30m", "auth": KUBERNETES},
    "ackSecretManager": {"store": {"name": "kms", "auth": RRSA}},
}
# What stands behind "next:" once a value was rotated, by who brings it into the cluster.
NEXT = {
    "externalSecret": "prod has it within 1h; at once: kubectl ksecret sync prod app",
    "sealedSecret": "commit what was written, and let it be deployed",
    "sops": "commit what was written, and let it be deployed",
    "secret": "kubectl ksecret sync prod app",
    "vaultSecretsOperator": "prod has it within 30m, and what reads it restarts",
    "ackSecretManager": "prod has it within 120s; at once: kubectl ksecret sync prod app",
}
FETCHED = ("externalSecret", "vaultSecretsOperator", "ackSecretManager")


def test_every_backend_is_tried() -> None:
    """One that is added later has to be added here."""
    assert STATED.keys() == NEXT.keys() == BACKENDS.keys()


@pytest.fixture(params=STATED)
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Project]:
    """The overlay `prod` of one backend, deployed by a kustomization, with a workload that reads it."""
    backend, project = request.param, Project(tmp_path)
    project.declare("app", {"token": {"generate": {"length": 40}}, "password": {"rotation": {"maxAge": "90d"}}})
    project.write("overlays/prod/secrets/sealing.pem", sealing(1).certificate)
    project.write("overlays/prod/secrets/kustomization.yaml", "resources: [manifests]\n")
    key = {"secretKeyRef": {"name": "app", "key": "token"}}
    container = {"name": "web", "image": "web", "env": [{"name": "TOKEN", "valueFrom": key}]}
    labels = {"app": "web"}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "shop-sa"}}
    project.write("overlays/prod/web.yaml", yaml.safe_dump_all([deployment, account]))
    project.write("overlays/prod/kustomization.yaml", "namespace: shop\nresources: [web.yaml, secrets]\n")
    project.environment |= {"SOPS_AGE_KEY": age("bob").identity, "KUBECONFIG": str(tmp_path / "no-cluster")}

    def overlay(source: Mapping[str, Any]) -> None:
        project.overlay("prod", {backend: STATED[backend]}, source=source, namespace="shop")

    if backend == "ackSecretManager":
        with Kms() as kms:
            for name in ("token", "password"):
                kms.set(f"{name}-prod", f"the {name}")
            project.environment |= kms.environment
            overlay({"names": "{remoteName}-prod", **kms.source})
            yield project
        return
    bao: OpenBao = request.getfixturevalue("bao")
    mount = bao.mount()
    bao.ask("POST", f"{mount}/data/prod/app", {"data": {"token": "the token", "password": "the password"}})
    project.environment |= bao.environment
    overlay({"names": "prod/{secret}", "property": "{key}", "vault": {"address": bao.url, "mount": mount}})
    yield project


def backend_of(project: Project) -> str:
    """The backend of the overlay."""
    spec = yaml.safe_load((project.root / "overlays/prod/secrets/ksecret.yaml").read_text())["spec"]
    return str(next(iter(spec["backend"])))


def test_every_command_ends_as_it_says(project: Project) -> None:
    """From nothing to a deployed overlay, a pin, and a rotation; each hint can be typed."""
    backend = backend_of(project)
    seals = backend in ("sealedSecret", "sops")

    def run(*arguments: str, codes: tuple[int, ...] = (0,)) -> str:
        done = project.ksecret(*arguments)
        assert "Traceback" not in done.err, done.err
        assert done.code in codes, (arguments, done.out, done.err)
        return done.out

    for output in ("table", "wide", "markdown", "json", "yaml"):
        assert "password" in run("list", "-o", output)
    run("render", "prod", "--write")
    run("seal", "prod", codes=(0,) if seals else (2,))
    run("render", "prod", "--write")
    assert run("render", "prod", "--check") == ""
    for output in ("yaml", "json", "name"):
        assert ("app" in run("render", "prod", "-o", output)) == (backend != "secret")
    # Of plain Secrets the cluster is asked, and there is none here.
    for output in ("table", "json", "yaml"):
        assert "token" in run("status", "-o", output, codes=(2, 3) if backend == "secret" else (0,))
    for output in ("text", "json", "sarif", "github"):
        run("check", "-o", output, codes=(0, 1))
    assert run("check", "--min-severity", "error", "--with-values") == ""
    assert "nothing in overlays/prod reads app/password [unused-key]" in run("check", "--fix", codes=(0, 1))
    run("pin-versions", "prod", "app")
    run("render", "prod", "--write")
    rotated = run("rotate", "prod", "app/token", "--yes")
    then = "then " if backend in FETCHED else ""  # once the pin that moved is committed
    assert f"next: {then}{NEXT[backend]}\n" in rotated
    assert ("next: kubectl ksecret render prod --write, and commit it" in rotated) == (backend in FETCHED)
    for arguments in (["sync", "prod"], ["diff", "prod"], ["doctor", "prod"]):
        run(*arguments, codes=(2, 3))
