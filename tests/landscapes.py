"""What rules look at, made from the text of a build; a comment `# RULE` in it expects a finding on its line."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from kubectl_ksecret.backends import read_committed
from kubectl_ksecret.checks import CommittedOverlay, Finding, Rule
from kubectl_ksecret.checks.scope import Build, Repository
from kubectl_ksecret.files.project import Project as Files
from kubectl_ksecret.kustomize.layers import Layers
from kubectl_ksecret.model.loading import Loader
from kubectl_ksecret.model.resolution import Environment
from kubectl_ksecret.objects import documents

from .projects import Project

BUILD = "build.yaml"
VAULT = {"azureKeyVault": {"vaultUrl": "https://shop-kv.vault.azure.net"}}


def environment(project: Project, name: str = "test", **spec: Any) -> Environment:
    """An overlay of ExternalSecrets from a store that exists; its namespace is shop unless `spec` has another."""
    stated = {"namespace": "shop", "source": VAULT, **spec}
    project.overlay(name, {"externalSecret": {"store": {"name": "vault"}}}, **stated)
    return Loader(Files(str(project.root))).load(str(project.root / f"overlays/{name}/secrets/ksecret.yaml"))


def landscape(build: str, *environments: Environment, layers: Layers | None = None) -> Repository:
    """One root, of this build and these overlays."""
    project = environments[0].project
    root = Build(
        project=project,
        folder=next(iter(layers or {}), project.root),
        environments=environments,
        chosen=[environment.name for environment in environments],
        objects=documents.read(build, BUILD),
        layers=layers or {},
    )
    return Repository(
        project=project,
        now=datetime(2026, 1, 1, tzinfo=UTC),
        overlays=[
            CommittedOverlay(environment=environment, manifests=read_committed(environment))
            for environment in environments
        ],
        environments=environments,
        builds=[root],
        certificates={},
        tree={},
        unreadable=[],
        tracked=None,
    )


def found(rules: Iterable[Rule], build: str, *environments: Environment, layers: Layers | None = None) -> list[Finding]:
    """What the rules say of a build."""
    return landscape(build, *environments, layers=layers).check(rules)


def lines(findings: Sequence[Finding]) -> list[tuple[int, str]]:
    """The lines of findings in the build, with their rules."""
    places = ((finding.place, finding.rule) for finding in findings)
    return sorted((place.line, rule) for place, rule in places if place and place.file == BUILD)


def expected(build: str) -> list[tuple[int, str]]:
    """The lines on which the comments of a build expect findings, with the rules."""
    comments = ((number, re.search(r"# ([a-z-]+)$", line)) for number, line in enumerate(build.splitlines(), 1))
    return sorted((number, match[1]) for number, match in comments if match)


def fetched(name: str, *keys: str, namespace: str = "shop", annotations: Mapping[str, str] | None = None) -> str:
    """An ExternalSecret of one line, as a document to follow another."""
    metadata = {"name": name, "namespace": namespace, "annotations": dict(annotations or {})}
    spec = {"secretStoreRef": {"name": "vault"}, "data": [{"secretKey": key} for key in keys]}
    manifest = {"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": metadata, "spec": spec}
    return f"---\n{manifest}\n"
