"""The rules of `check`: each has a golden case with the fault and one without, and its entry in the documentation."""

import re

import pytest

from kubectl_ksecret.checks import Rule
from kubectl_ksecret.checks.rules import ALL

from . import golden
from .peers import ROOT

NAMES = [rule.name for rule in ALL]


def rules_of(case: str) -> set[str]:
    """Return the rules whose findings a golden case of `check` expects."""
    text = golden.read(golden.TESTDATA / "check" / f"{case}.txt").expected.stdout
    return set(re.findall(r"^(?:error|warning|note): .* \[([a-z0-9-]+)\]$", text, re.MULTILINE))


@pytest.mark.parametrize("name", NAMES)
def test_each_rule_has_a_case_with_the_fault_and_one_without(name: str) -> None:
    """In the first it is the only rule that reports anything, in the second none does."""
    assert (rules_of(name), rules_of(f"{name}-clean")) == ({name}, set())


def test_each_rule_has_a_stable_name_of_its_own() -> None:
    """Lower case, with dashes: exceptions and other tools refer to it."""
    assert [name for name in NAMES if not re.fullmatch("[a-z0-9]+(-[a-z0-9]+)*", name)] == []
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("rule", ALL, ids=lambda rule: rule.name)
def test_each_rule_is_documented(rule: Rule) -> None:
    """The fault in a sentence, then why it hurts and the mend; docs/rules.md holds it."""
    text = (rule.find.__doc__ or "").strip()
    fault, _, rest = text.partition("\n\n")
    assert fault.endswith(".") and rest.strip().endswith(".")
    assert f"## {rule.name}\n" in (ROOT / "docs" / "rules.md").read_text()
