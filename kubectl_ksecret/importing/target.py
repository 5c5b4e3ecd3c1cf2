"""Where an import puts things."""

import os
from collections.abc import Mapping

from ..files.project import Project
from ..frozen import Record

CERTIFICATE = "sealing.pem"
DECLARATIONS = "generators"


class ImportTarget(Record):
    """The folder in which generators/ and overlays/ are made.

    `deployed` are the kustomizations that the team deploys and that go over to what is imported, by environment.
    """

    project: Project
    into: str
    deployed: Mapping[str, str] = {}

    @property
    def declarations(self) -> str:
        """The shared base."""
        return os.path.join(self.into, DECLARATIONS)

    def folder(self, environment: str) -> str:
        """Return the folder of an overlay."""
        return os.path.join(self.into, "overlays", environment)

    def secrets(self, environment: str) -> str:
        """Return the folder of its ksecret.yaml."""
        return os.path.join(self.folder(environment), "secrets")

    def kustomization(self, environment: str) -> str:
        """Return the folder of the kustomization that deploys an overlay."""
        return self.deployed.get(environment, self.folder(environment))
