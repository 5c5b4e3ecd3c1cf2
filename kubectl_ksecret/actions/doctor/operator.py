"""The operators that fetch values in the cluster: whether it serves their objects, and whether their pods run."""

from collections.abc import Iterator, Sequence

from ...cluster.api import Refused
from ...cluster.resources import (
    ACK_EXTERNAL_SECRETS,
    ACK_SECRET_STORES,
    EXTERNAL_SECRETS,
    PODS,
    VAULT_AUTHS,
    VAULT_CONNECTIONS,
    VAULT_STATIC_SECRETS,
    Resources,
)
from ...errors import shown
from ...frozen import Record
from ...model.kubernetes import Object
from .controllerpods import KINDS, of_pod, without_pods
from .examination import Examination, Question, Step, Verdict

RUNS = "its controller runs"


class Operator(Record):
    """An operator as it stands in a cluster.

    `served` are the kinds that it needs, of one version of one group. `label` is what every release of its chart gives
    to the pods of the controller, and to no others. `release` is how it is installed, or an older one brought up to
    date; `since` says which release brought the version. `namespace` is that of its controller, unless its pods tell.
    """

    name: str
    served: Sequence[Resources]
    label: str
    release: str
    namespace: str
    since: str = ""

    @property
    def questions(self) -> Sequence[Question]:
        """The questions about the operator itself."""

        def serving(examination: Examination) -> Iterator[Step]:
            return _serving(self, examination)

        def running(examination: Examination) -> Iterator[Step]:
            return _running(self, examination)

        return Question(f"{self.name} is installed", serving), Question(RUNS, running)

    def pods(self, examination: Examination) -> Sequence[Object]:
        """Return the pods of the controller. Raises Refused without the right to list pods of all namespaces."""
        pods = examination.all(PODS, selector=self.label)
        # A pod that was evicted stays for a long time, beside the one that took its place.
        return [pod for pod in pods if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")]

    def namespace_of_pods(self, examination: Examination) -> str:
        """Return the namespace of the controller, as far as it is known."""
        try:
            pods = self.pods(examination)
        except Refused:
            pods = []
        return str(pods[0]["metadata"]["namespace"]) if pods else self.namespace


EXTERNAL_SECRETS_OPERATOR = Operator(
    name="External Secrets Operator",
    served=[EXTERNAL_SECRETS],
    # Its webhook has another one.
    label="app.kubernetes.io/name=external-secrets",
    release="helm upgrade --install external-secrets external-secrets --repo https://charts.external-secrets.io "
    "--namespace external-secrets",
    namespace="external-secrets",
    since="v1 came with External Secrets Operator 0.16",
)
VAULT_SECRETS_OPERATOR = Operator(
    name="Vault Secrets Operator",
    served=[VAULT_STATIC_SECRETS, VAULT_AUTHS, VAULT_CONNECTIONS],
    label="app.kubernetes.io/name=vault-secrets-operator",
    release="helm upgrade --install vault-secrets-operator vault-secrets-operator "
    "--repo https://helm.releases.hashicorp.com --namespace vault-secrets-operator-system",
    namespace="vault-secrets-operator-system",
)
ACK_SECRET_MANAGER = Operator(
    name="ack-secret-manager",
    served=[ACK_EXTERNAL_SECRETS, ACK_SECRET_STORES],
    label="app.kubernetes.io/name=ack-secret-manager",
    release="install ack-secret-manager from the Marketplace of the ACK console",
    namespace="kube-system",
)


def _serving(operator: Operator, examination: Examination) -> Iterator[Step]:
    group, version, _ = operator.served[0]
    live = examination.find(Resources(group, "", "").cluster_wide()) or {}
    versions = [shown(str(entry.get("version"))) for entry in live.get("versions") or ()]
    if not versions:
        create = " --create-namespace" if operator.release.startswith("helm ") else ""
        yield _of_group(operator, "failed", f"the cluster does not serve {group}", operator.release + create)
    elif version not in versions:
        cause = f"it serves {group}/{', '.join(versions)} alone" + (f"; {operator.since}" if operator.since else "")
        yield _of_group(operator, "failed", cause, f"upgrade it, such as with: {operator.release}")
    elif absent := [kind.plural for kind in operator.served if not _serves(operator, examination, kind)]:
        cause = f"it does not serve {', '.join(absent)}"
        yield _of_group(operator, "failed", cause, f"bring its CRDs back, such as with: {operator.release}")
    else:
        yield _of_group(operator, "passed", f"it serves {group}/{version}")


def _serves(operator: Operator, examination: Examination, kind: Resources) -> bool:
    # Of an operator with one kind the group is answer enough.
    return len(operator.served) == 1 or examination.serves(kind)


def _of_group(operator: Operator, verdict: Verdict, cause: str, remedy: str = "") -> Step:
    group, version, _ = operator.served[0]
    return Step(
        question=f"{operator.name} is installed",
        subject=f"apiservice/{version}.{group}",
        verdict=verdict,
        cause=cause,
        remedy=remedy,
    )


def _running(operator: Operator, examination: Examination) -> Iterator[Step]:
    pods = operator.pods(examination)
    for pod in pods:
        yield _of_pod(operator, examination, pod)
    if pods:
        return
    workloads = [
        (kind, workload)
        for kind, resources in KINDS.items()
        for workload in examination.all(resources, selector=operator.label)
    ]
    for kind, workload in workloads:
        standstill = without_pods(kind, workload)
        yield Step(
            question=RUNS,
            subject=f"{kind}.apps/{workload['metadata']['name']}",
            verdict="failed",
            cause=f"in namespace {workload['metadata']['namespace']}, it {standstill.cause}",
            remedy=standstill.remedy,
        )
    if not workloads:
        cause = f"no pod of the cluster has the label {operator.label}"
        remedy = f"kubectl get pods --all-namespaces --selector={operator.label}"
        yield Step(question=RUNS, subject="pod", verdict="unknown", cause=cause, remedy=remedy)


def _of_pod(operator: Operator, examination: Examination, pod: Object) -> Step:
    name, namespace, standstill = pod["metadata"]["name"], pod["metadata"]["namespace"], of_pod(pod)
    cause, remedy = f"in namespace {namespace}", ""
    if standstill is not None:
        cause, remedy = f"{cause}, {standstill.cause}", standstill.remedy
    elif (only := option_of(pod, "namespace")) and only != examination.namespace:
        cause += f", it looks at the namespace {shown(only)} alone (--namespace), and not at {examination.namespace}"
        remedy = f"kubectl describe pod {name} --namespace={namespace}"
    verdict: Verdict = "failed" if remedy else "passed"
    return Step(question=RUNS, subject=f"pod/{name}", verdict=verdict, cause=cause, remedy=remedy)


def option_of(pod: Object, name: str) -> str:
    """Return the value of an option of the controller's command line; empty if it is not given."""
    for container in (pod.get("spec") or {}).get("containers") or ():
        for argument in (*(container.get("command") or ()), *(container.get("args") or ())):
            option, _, value = str(argument).partition("=")
            if option.lstrip("-") == name and option.startswith("-"):
                return value
    return ""
