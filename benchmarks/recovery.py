"""Recovery of many Secrets on a new cluster, beside kubectl apply and kubectl wait of what is sealed for it.

Most of the time is the Sealed Secrets controller's: by default it makes 5 requests a second, and it needs 5 for each
Secret. The API server's audit log counts our requests.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.cluster.controlplane import PEERS, Cluster
from tests.cluster.standins import SEALED_SECRETS
from tests.peers import path_of

from . import tools
from .measure import Line, Usage, compare, run
from .projects import Project

SECRETS = 200
NAMESPACE = "bench"  # of the overlay
STEPS = (("cluster", "pin", "bench"), ("certificate", "bench", "--fetch"), ("seal", "bench", "--reseal"))
SYNC = ("sync", "bench", "--timeout=20m")
# The flags of the controller that limit its requests, by how many a second they allow.
LIMITS = {100: ("--kubeclient-qps=100", "--kubeclient-burst=200"), 5: ()}


def lines(programs: Path, folder: Path) -> Iterator[Line]:
    """The limit that an administrator sets for many Secrets, then the default, which is slow: one run of each."""
    if missing := [name for name in PEERS if path_of(name) is None]:
        raise tools.MissingPeer(f"{', '.join(missing)} is missing; make tools builds what Go can build")
    project = _sealed_project(programs, folder / "lost")
    for limit, flags in LIMITS.items():
        where = folder / f"cluster-{limit}"
        where.mkdir()
        with Cluster(where, flags={SEALED_SECRETS.name: flags}) as cluster:
            yield _Recovery(programs, project, cluster).line(limit)


def _sealed_project(programs: Path, root: Path) -> Project:
    """A project whose values are sealed for a controller that is gone."""
    project = Project(root, SECRETS, "sealedSecret")
    (project.overlay / "kustomization.yaml").write_text("resources: [manifests]\n")
    (project.overlay.parent / "kustomization.yaml").write_text(f"resources: [secrets]\nnamespace: {NAMESPACE}\n")
    run(programs / "kubectl-ksecret", "seal", "bench", *project.accept, folder=project.root)
    return project


class _Recovery:
    """The same Secrets on a new namespace each time; `requests` are those of our last run."""

    def __init__(self, programs: Path, project: Project, cluster: Cluster) -> None:
        self._programs, self._project, self._cluster = programs, project, cluster
        self._runs, self.requests = 0, 0
        self._variables = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}
        self._latest = project.root

    def line(self, limit: int) -> Line:
        """Return the line of the report; with the default limit a run takes minutes, so there is one pair."""
        if limit == 5:
            ours, peer = self.ours(), self.peer()
            line = Line(subject="", ours=ours, peer=peer, pairs=1, ratio=ours.seconds / peer.seconds, bound=None)
        else:
            line = compare("", self.ours, self.peer)
        subject = (
            f"recover {SECRETS} Secrets, {self.requests:,} requests, beside kubectl apply; controller at {limit}/s"
        )
        return line._replace(subject=subject)

    def ours(self) -> Usage:
        """All steps, on a copy of the project as it was when the cluster was lost."""
        self._renew_namespace()
        self._runs += 1
        self._latest = self._cluster.folder / f"project-{self._runs}"
        shutil.copytree(self._project.root, self._latest, symlinks=True)
        start = self._cluster.audit_log.stat().st_size
        usages = [self._run(self._programs / "kubectl-ksecret", *step) for step in (*STEPS, SYNC)]
        self.requests = len(self._cluster.requests(start, "admin"))
        return Usage(sum(usage.seconds for usage in usages), max(usage.mebibytes for usage in usages))

    def peer(self) -> Usage:
        """What our steps have sealed, or will: applied and waited for by kubectl."""
        if not self._runs:
            self.ours()
        self._renew_namespace()
        kubectl = (tools.peer("kubectl"), f"--namespace={NAMESPACE}")
        commands: Sequence[Sequence[str]] = (
            ("apply", "--server-side", f"--kustomize={self._latest / 'overlays' / 'bench'}"),
            ("wait", "--for=condition=Synced", "sealedsecrets", "--all", "--timeout=20m"),
        )
        usages = [self._run(*kubectl, *command) for command in commands]
        return Usage(sum(usage.seconds for usage in usages), max(usage.mebibytes for usage in usages))

    def _run(self, *command: str | Path) -> Usage:
        return run(*command, folder=self._latest, variables=self._variables)

    def _renew_namespace(self) -> None:
        self._cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")
        self._cluster.kubectl("create", "namespace", NAMESPACE)
