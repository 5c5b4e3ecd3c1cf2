"""Rules that read what anybody wrote: whatever stands in a field, there is no traceback."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from kubectl_ksecret.checks import operator, placeholders, plaintext, stores, tracked
from kubectl_ksecret.checks.scope import Build, Repository
from kubectl_ksecret.files.contents import Content
from kubectl_ksecret.files.project import Project
from kubectl_ksecret.objects.documents import read

RULES = (*plaintext.RULES, *placeholders.RULES, *operator.RULES, *stores.RULES, *tracked.RULES)
ODD: tuple[Any, ...] = (None, 0, True, "odd", [], ["odd"], [None], {}, {"odd": None}, {1: {"odd": []}}, [[{"odd": 1}]])
OBJECTS = {
    "secret.yaml": """\
apiVersion: v1
kind: Secret
metadata: {name: a, namespace: b, annotations: {avp.kubernetes.io/path: c}}
type: Opaque
data: {one: YQ==}
stringData: {two: a}
sops: {version: 3.10.2}
""",
    "kustomization.yaml": """\
secretGenerator:
- name: a
  namespace: b
  literals: [a=b]
  envs: [a.env]
  files: [a=b.txt]
  env: c.env
configMapGenerator: [{name: a, envs: [b.env]}]
""",
    "store.yaml": """\
apiVersion: external-secrets.io/v1
kind: SecretStore
metadata: {name: a, namespace: b}
spec:
  provider:
    azurekv:
      authType: WorkloadIdentity
      tenantId: a
      authSecretRef: {clientId: {name: a, key: b}, tenantId: {name: a, key: b}}
      serviceAccountRef: {name: a, namespace: b}
""",
    "account.yaml": """\
apiVersion: v1
kind: ServiceAccount
metadata: {name: a, namespace: b, annotations: {azure.workload.identity/client-id: TODO}}
secrets: [{name: a}]
""",
    "external.yaml": """\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: a, namespace: b}
spec:
  secretStoreRef: {name: as, kind: SecretStore}
  target: {deletionPolicy: Retain, creationPolicy: Owner}
  data: [{secretKey: a, sourceRef: {storeRef: {name: b}}}, {secretKey: a}]
  dataFrom: [{extract: {key: a}, find: {path: a}, sourceRef: {storeRef: {name: a}, generatorRef: {name: a}}}]
""",
}


def variants(value: Any) -> Iterator[Any]:
    """The value with each field in turn replaced by something odd."""
    yield from ODD
    for name in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        for below in variants(value[name]):
            other = deepcopy(value)
            other[name] = below
            yield other


def landscape(texts: dict[str, str]) -> Repository:
    """These files, and all of them built."""
    tree = {name: read(text, name) for name, text in texts.items()}
    project = Project("/nowhere")
    return Repository(
        project=project,
        now=datetime.now(UTC),
        overlays=[],
        environments=[],
        builds=[
            Build(
                project=project,
                folder="/nowhere",
                environments=[],
                objects=[document for some in tree.values() for document in some],
            )
        ],
        certificates={},
        tree=tree,
        unreadable=[],
        tracked={"a.env"},
        contents=[Content("secret.yaml", "private key", 2, 1), Content("a.env", "dotenv file")],
    )


@pytest.mark.parametrize("file", OBJECTS)
def test_nothing_odd_in_a_field_gives_a_traceback(file: str) -> None:
    """Every field of every object, replaced by a value of every type, built and in the tree."""
    count = 0
    for variant in variants(yaml.safe_load(OBJECTS[file])):
        landscape({**OBJECTS, file: yaml.safe_dump(variant)}).check(RULES)
        count += 1
    assert count > 100


def test_the_objects_as_they_are_are_found_fault_with() -> None:
    """So that the test above looks at something."""
    assert {finding.rule for finding in landscape(OBJECTS).check(RULES)} == {rule.name for rule in RULES} - {
        "old-api-version"
    }
