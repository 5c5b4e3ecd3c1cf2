"""The rights that lead to the Secrets of a namespace, and the rules of roles that give them.

All of it was tried on the API server (1.35): patch, with a patch of nothing, and deletecollection answer with whole
Secrets; resourceNames restrict neither create nor deletecollection, since such a request names no object.
"""

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from ..model.kubernetes import RBAC, Object
from .documents import sequence

# What the names in a rule's resourceNames are names of.
Kind = Literal["secret", "workload", "account", "person", "group", "role"]


class Right(NamedTuple):
    """Verbs on a resource that a rule allows; `names` are those of its resourceNames, None without any."""

    way: Kind
    verbs: tuple[str, ...]
    group: str
    resource: str
    names: frozenset[str] | None
    cluster_wide: bool

    def holds_for(self, name: str) -> bool:
        """Whether it allows its verbs on the object of a name."""
        return self.names is None or name in self.names

    def __str__(self) -> str:
        return f"{','.join(self.verbs)} {self.resource}" + (f".{self.group}" if self.group else "")


class _Way(NamedTuple):
    """A resource, the verbs on it that lead to a Secret, and those for which a request names no object."""

    way: Kind
    group: str
    resource: str
    verbs: tuple[str, ...]
    unnamed: tuple[str, ...] = ()
    cluster_wide: bool = False  # a rule in one namespace does not allow it


_TO_SECRETS = _Way(
    "secret", "", "secrets", ("get", "list", "watch", "patch", "deletecollection"), ("deletecollection",)
)
_CHANGES, _CREATE = ("create", "update", "patch"), ("create",)
_WORKLOADS = (
    ("", "replicationcontrollers"),
    *(("apps", name) for name in ("deployments", "statefulsets", "daemonsets", "replicasets")),
    *(("batch", name) for name in ("jobs", "cronjobs")),
    *(("argoproj.io", name) for name in ("rollouts", "workflows", "cronworkflows")),
    *(("tekton.dev", name) for name in ("taskruns", "pipelineruns")),
    *(("monitoring.coreos.com", name) for name in ("prometheuses", "alertmanagers")),
    ("batch.volcano.sh", "jobs"),
    ("keda.sh", "scaledjobs"),
    ("serving.knative.dev", "services"),
)
_ROUND_ABOUT = (
    _Way("workload", "", "pods", _CREATE, _CREATE),
    *(_Way("workload", group, name, _CHANGES, _CREATE) for group, name in _WORKLOADS),
    # A WebSocket is opened with GET, so get has sufficed for exec in most releases.
    _Way("workload", "", "pods/exec", ("create", "get")),
    _Way("workload", "", "pods/ephemeralcontainers", ("update", "patch")),
    _Way("workload", "", "nodes/proxy", ("create", "get"), cluster_wide=True),
    _Way("account", "", "serviceaccounts/token", _CREATE),
    _Way("account", "", "serviceaccounts", ("impersonate",)),
    _Way("person", "", "users", ("impersonate",), cluster_wide=True),
    _Way("group", "", "groups", ("impersonate",), cluster_wide=True),
    *(_Way("role", RBAC, name, ("bind", "escalate")) for name in ("roles", "clusterroles")),
)


class PolicyRule(NamedTuple):
    """A rule of a Role or ClusterRole."""

    stated: Object

    def allows(self, verb: str, group: str, resource: str) -> bool:
        """Whether it allows a verb on a resource, whatever it says of names."""
        subresource = resource.partition("/")[2]
        resources = {"*", resource, *({f"*/{subresource}"} if subresource else ())}
        return (
            not {"*", verb}.isdisjoint(self._listed("verbs"))
            and not {"*", group}.isdisjoint(self._listed("apiGroups"))
            and not resources.isdisjoint(self._listed("resources"))
        )

    def states(self, verb: str, group: str, resource: str) -> bool:
        """Whether it names a resource and its group, not by a wildcard, and allows a verb on it."""
        named = group in self._listed("apiGroups") and resource in self._listed("resources")
        return named and self.allows(verb, group, resource)

    def right(self, way: _Way) -> Right | None:
        """Return what it allows of a way to Secrets, if anything."""
        names = frozenset(self._listed("resourceNames"))
        verbs = tuple(
            verb
            for verb in way.verbs
            if self.allows(verb, way.group, way.resource) and not (names and verb in way.unnamed)
        )
        if not verbs:
            return None
        return Right(
            way=way.way,
            verbs=verbs,
            group=way.group,
            resource=way.resource,
            names=names or None,
            cluster_wide=way.cluster_wide,
        )

    def _listed(self, field: str) -> list[str]:
        return [text for text in sequence(self.stated.get(field)) if isinstance(text, str)]


def rights_of(rules: Iterable[PolicyRule]) -> Iterator[Right]:
    """Yield the rights that rules give, of those that lead to Secrets."""
    for rule in rules:
        for way in (_TO_SECRETS, *_ROUND_ABOUT):
            right = rule.right(way)
            if right is not None:
                yield right


def reading(rules: Iterable[PolicyRule], secret: str) -> bool:
    """Whether rules give a Secret, or lead to every one of its namespace."""
    return any(right.holds_for(secret) if right.way == "secret" else right.names is None for right in rights_of(rules))
