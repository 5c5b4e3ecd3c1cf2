"""The sample at the top level, as a new user meets it."""

import subprocess
from pathlib import Path

import pytest

from .peers import ROOT, peer, run


@pytest.mark.parametrize("folder", sorted(path.parent for path in ROOT.glob("overlays/**/kustomization.yaml")))
def test_every_committed_kustomization_builds_with_no_plugin(folder: Path) -> None:
    """What is committed needs kustomize and nothing else."""
    assert subprocess.run([peer("kustomize"), "build", folder], capture_output=True, check=False).returncode == 0


def test_the_committed_manifests_are_up_to_date() -> None:
    """`render --check` finds nothing to do."""
    assert run("kubectl-ksecret", "render", "--check", folder=ROOT) == ""
