"""Each rule finds what was put into a copy of the sample, at its line, and nothing else; so do all of them together.

What must be found is written by hand, in faults.py.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from pathlib import Path

import pytest

from kubectl_ksecret.checks import rules

from .faults import FAULTS, Fault, widened
from .keyvault import KeyVault
from .projects import Project

VAULT = "https://klinematrix-test-kv.vault.azure.net"
NAMES = (
    "jwt-secret-key",
    "alibaba-dashscope-api-key",
    "mongodb-connection-string",
    "alpaca-api-key",
    "alpaca-secret-key",
    "alpha-vantage-api-key",
    "redis-password",
)
WITH_VALUES = "--with-values"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The sample, with what else rules look at; nobody changes it."""
    return widened(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def project(sample: Project, tmp_path: Path) -> Project:
    """A fresh copy of it."""
    shutil.copytree(sample.root, tmp_path / "project")
    fresh = copy(sample)
    fresh.root = tmp_path / "project"
    return fresh


@pytest.fixture
def vault() -> Iterator[KeyVault]:
    """The double of Key Vault."""
    with KeyVault() as double:
        yield double


def fill(project: Project, vault: KeyVault, other: Mapping[str, str | None]) -> None:
    """The copy reads from the double, which holds a value of its own for each name, but for some others."""
    for file in (*project.root.glob("overlays/*/secrets/ksecret.yaml"), *project.root.rglob("_store.yaml")):
        file.write_text(file.read_text().replace(VAULT, vault.url))
    project.environment = project.environment | vault.environment
    for name in (f"{name}-{overlay}" for name in NAMES for overlay in ("test", "prod")):
        usual = f"mongodb://app@host.example/{name}" if name.startswith("mongodb") else f"the value of {name}"
        value = other.get(name, usual)
        vault.set(name, value or usual)
        if value is None:
            vault.delete(name)


def put(fault: Fault, project: Project) -> None:
    """Into the copy."""
    for change in fault.changes:
        change(project)


def found(project: Project, arguments: Sequence[str] = ()) -> Counter[str]:
    """What `check` finds in all that Git tracks."""
    project.git("add", "--all")
    done = project.ksecret("check", "-o", "json", *arguments)
    assert done.err == ""
    items = json.loads(done.out)["items"]
    assert done.code == (1 if any(item["severity"] != "note" for item in items) else 0)
    return Counter(f"{item['rule']} {item['file']}:{item['line'] or 0}" for item in items)


def test_nothing_is_found_in_the_sample(sample: Project, project: Project, vault: KeyVault) -> None:
    """As it is in the repository, with what the copies have besides, and with all values."""
    assert found(project) == Counter()
    fill(project, vault, {})
    assert found(project, [WITH_VALUES]) == Counter()
    for name in ("mailer", "overlays/eu", "overlays/us"):
        shutil.rmtree(project.root / name)
    assert found(project, [WITH_VALUES]) == Counter()


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if WITH_VALUES not in fault.arguments])
def test_one_fault_is_found_at_its_line_and_nothing_else(name: str, project: Project) -> None:
    """In a copy of its own."""
    put(FAULTS[name], project)
    assert found(project, FAULTS[name].arguments) == Counter(FAULTS[name].expected)


@pytest.mark.parametrize("name", [name for name, fault in FAULTS.items() if WITH_VALUES in fault.arguments])
def test_one_value_is_found_at_its_line_and_nothing_else(name: str, project: Project, vault: KeyVault) -> None:
    """In a copy of its own, and a Key Vault of its own."""
    fill(project, vault, FAULTS[name].values)
    put(FAULTS[name], project)
    assert found(project, FAULTS[name].arguments) == Counter(FAULTS[name].expected)


def test_all_faults_together_are_found_and_nothing_else(project: Project, vault: KeyVault) -> None:
    """All that can stand in one copy: two of three, and of each rule one at least but for those that say why not."""
    together = [fault for fault in FAULTS.values() if stands_with_others(fault)]
    values = {name: value for fault in together for name, value in fault.values.items()}
    fill(project, vault, values)
    for fault in together:
        put(fault, project)
    assert found(project, [WITH_VALUES]) == Counter(place for fault in together for place in fault.expected)
    assert len(together) > len(FAULTS) * 2 // 3
    left = {rule.name for rule in rules.ALL} - {fault.expected[0].partition(" ")[0] for fault in together}
    assert left == {
        "not-deployed",
        "generator-skipped",
        "namespace-missing",
        "certificate-changed",
        "vault-collision",
        "not-buildable",
        "name-not-followed",
        "needs-no-restriction",
        "kustomization-reaches-no-secret",
        "not-expressible",
        "operator-may-empty-secret",
    }


def stands_with_others(fault: Fault) -> bool:
    """Whether other faults can stand in the same copy."""
    return not fault.alone and fault.arguments in ((), (WITH_VALUES,))


def test_every_rule_has_two_faults_at_least() -> None:
    """The second in a less usual place; each begins with the name of its rule, and expects that first."""
    counted = Counter(name.partition(",")[0] for name in FAULTS)
    assert {rule.name: counted[rule.name] for rule in rules.ALL if counted[rule.name] < 2} == {}
    assert set(counted) == {rule.name for rule in rules.ALL}
    assert [
        name for name, fault in FAULTS.items() if not fault.expected[0].startswith(f"{name.partition(',')[0]} ")
    ] == []
