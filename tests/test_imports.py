"""What starts on every build or for a word of help imports only what it needs."""

import subprocess
import sys

import pytest

from .peers import ROOT

HEAVY = ("azure", "click", "cryptography", "dataclasses", "kubernetes", "pyrage", "re2", "requests", "ruamel")


def imported(code: str) -> set[str]:
    """The top modules, and those of this package, that a fresh interpreter has after running code in the sample."""
    program = f"{code}\nimport sys\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    names = done.stderr.split()
    return {name.partition(".")[0] for name in names} | {name for name in names if name.startswith("kubectl_ksecret.")}


@pytest.mark.parametrize("overlay", ["test", "prod"])
def test_a_build_imports_no_cryptography_no_click_and_nothing_above_rendering(overlay: str) -> None:
    """ksecret-fn renders the sample with YAML and the standard library."""
    folder = ROOT / "overlays" / overlay / "secrets"
    lines = (folder / "ksecret.yaml").read_text().splitlines()
    request = "\n".join(["kind: ResourceList", "items: []", "functionConfig:", *(f"  {line}" for line in lines)])
    found = imported(f"from kubectl_ksecret.krm import generate\ngenerate({request.encode()!r}, {str(folder)!r})")
    floors = {f"kubectl_ksecret.{name}" for name in ("actions", "cli", "sealing", "sources", "values")}
    assert found & {*HEAVY, *floors} == set()


@pytest.mark.parametrize("arguments", [["--help"], ["render", "test"], ["render", "prod"], ["list"]])
def test_help_render_and_list_import_no_azure_and_no_cryptography(arguments: list[str]) -> None:
    """Only what reads or seals values loads what that takes."""
    code = f"from kubectl_ksecret.cli import group\ngroup({arguments!r}, standalone_mode=False)"
    assert imported(code) & {"azure", "cryptography", "kubernetes", "pyrage", "requests"} == set()
