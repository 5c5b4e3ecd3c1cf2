"""Projects to work on: as many Secrets as asked for, ten keys each, one overlay; every value is made here."""

import secrets
import shutil
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

from kubectl_ksecret.sealing import certificate

from . import tools

KEYS = 10
_SEALED_FROM = "{dotenv: {file: .env}}"
BACKENDS = {  # the source and the backend of the overlay
    "externalSecret": (
        "{azureKeyVault: {vaultUrl: https://bench.vault.azure.net}}",
        "{store: {name: vault, auth: {workloadIdentity: {serviceAccountName: reader}}}}",
    ),
    "sealedSecret": (_SEALED_FROM, "{certificate: sealing.pem}"),
    "sops": (_SEALED_FROM, "{age: [RECIPIENT]}"),
}
_OVERLAY = """\
apiVersion: ksecret.dev/v1alpha1
kind: SecretOverlay
metadata:
  name: bench
  annotations:
    config.kubernetes.io/function: "exec: {path: ksecret-fn}"
spec:
  declarations: [../../../generators]
  namespace: bench
  source: SOURCE
  backend: {NAME: BACKEND}
"""
_DECLARATION = """\
apiVersion: ksecret.dev/v1alpha1
kind: SecretDeclaration
metadata:
  name: NAME
spec:
  purpose: What NAME needs to start
  keys:
"""
_KEY = """\
    key-{key}:
      purpose: What key {key} is for
      remoteName: {secret}-key-{key}
      rules: {{minLength: 16}}
"""
_KUSTOMIZATION = """\
generators: [ksecret.yaml]
configurations: [manifests/_references.yaml]
"""
_SECRET = """\
apiVersion: v1
kind: Secret
metadata:
  name: NAME
  namespace: bench
stringData:
"""
# What kustomize hands to a function, but for the annotations that it adds.
_RESOURCE_LIST = """\
apiVersion: config.kubernetes.io/v1
kind: ResourceList
items: []
functionConfig:
"""


class Project:
    """A Git work tree with declarations, and one overlay in its generator form; a SOPS one needs a recipient.

    Without `source`, the source is the usual one of the backend.
    """

    def __init__(self, root: Path, count: int, backend: str, recipient: str = "", source: str = "") -> None:
        self.root, self.names = root, [f"service-{number:03}" for number in range(1, count + 1)]
        self.overlay = root / "overlays" / "bench" / "secrets"
        self.manifests = self.overlay / "manifests"
        self.certificate = self.overlay / "sealing.pem"
        self.resource_list = root / "resource-list.yaml"
        self.values = {f"{name}-key-{key}": secrets.token_urlsafe(24) for name in self.names for key in range(KEYS)}
        self.overlay.mkdir(parents=True)
        subprocess.run(["git", "init", "--quiet", root], check=True)
        self._declare(root / "generators")
        usual, form = BACKENDS[backend]
        overlay = _OVERLAY.replace("SOURCE", source or usual).replace("NAME", backend).replace("BACKEND", form)
        self._overlay(overlay.replace("RECIPIENT", recipient))
        # A clone asks before it first seals for somebody; this is what says yes.
        self.accept = ("--accept", recipient or certificate.read(self.certificate.read_bytes()).fingerprint)

    def _declare(self, folder: Path) -> None:
        folder.mkdir()
        for name in self.names:
            keys = (_KEY.format(secret=name, key=key) for key in range(KEYS))
            (folder / f"{name}.yaml").write_text(_DECLARATION.replace("NAME", name) + "".join(keys))

    def _overlay(self, overlay: str) -> None:
        (self.overlay / "ksecret.yaml").write_text(overlay)
        self.resource_list.write_text(_RESOURCE_LIST + textwrap.indent(overlay, "  "))
        (self.overlay / "kustomization.yaml").write_text(_KUSTOMIZATION)
        shutil.copyfile(tools.ROOT / "overlays" / "prod" / "secrets" / "sealing.pem", self.certificate)
        lines = (f"{name.upper().replace('-', '_')}={value}\n" for name, value in self.values.items())
        (self.overlay / ".env").write_text("".join(lines))

    def plain_secrets(self) -> Iterator[Path]:
        """The same Secrets as files in plain text, as kubeseal and sops take them."""
        folder = self.root / "plain"
        folder.mkdir()
        for name in self.names:
            path = folder / f"{name}.yaml"
            keys = (f"  key-{key}: {self.values[f'{name}-key-{key}']}\n" for key in range(KEYS))
            path.write_text(_SECRET.replace("NAME", name) + "".join(keys))
            yield path
