"""Who can read a Secret through the API: Roles, ClusterRoles and their bindings, as Kubernetes' RBAC takes them.

There are two kinds of rights. Some give the Secret itself, such as get. Others lead to it by a way round: whoever makes
a pod in a namespace mounts any Secret there, and whoever gets the token of a ServiceAccount may do what that one may.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from ..model.kubernetes import RBAC, Object
from . import selectors
from .documents import Document, mapping, sequence
from .rights import PolicyRule, Right, reading, rights_of

_EVERY = ("system:serviceaccounts", "system:authenticated")
_OF_NAMESPACE = "system:serviceaccounts:"
_ACCOUNT_USER = "system:serviceaccount:"
_ADMINISTRATORS = "system:masters"
# The operators that make Secrets write the status of these objects, whatever their release is named.
_OPERATED = (("external-secrets.io", "externalsecrets/status"), ("bitnami.com", "sealedsecrets/status"))


class Holder(NamedTuple):
    """Whom a binding gives rights: a ServiceAccount, every one of a namespace (without a name), or every one at all.

    Of another `kind` than ServiceAccount it is a user or a group of people.
    """

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        if self.kind != "ServiceAccount":
            return f"{self.kind} {self.name}"
        if self.name:
            return f"ServiceAccount {self.namespace}/{self.name}"
        return f"every ServiceAccount of {self.namespace}" if self.namespace else "every ServiceAccount"


class Way(NamedTuple):
    """A way to a Secret: what a binding gives a holder. `direct` if that is the Secret itself, not a way round."""

    holder: Holder
    binding: Document
    position: int  # of the subject in the binding
    role: str
    rights: tuple[str, ...]
    direct: bool
    operator: bool  # the role is that of an operator which makes Secrets


class _Grant(NamedTuple):
    holder: Holder
    binding: Document
    position: int
    role: str
    rights: tuple[Right, ...]
    operator: bool


class Permissions:
    """The rights in one namespace, of all Roles, ClusterRoles and bindings that are at hand.

    What names no namespace lies in this one. A role that is not at hand gives nothing, but for those that every cluster
    has; `unknown` are the bindings to such roles.
    """

    def __init__(self, documents: Iterable[Document], namespace: str) -> None:
        self.namespace = namespace
        self.unknown: list[Document] = []
        of_rbac = [document for document in documents if document.group == RBAC]
        self._cluster_roles = _BUILT_IN | {
            document.subject.name: document.object for document in of_rbac if document.subject.kind == "ClusterRole"
        }
        self._roles = {
            document.subject.name: document.object
            for document in of_rbac
            if document.subject.kind == "Role" and self._is_here(document)
        }
        self._grants = [grant for document in of_rbac for grant in self._of_binding(document)]

    def _is_here(self, document: Document) -> bool:
        return document.subject.namespace in ("", self.namespace)

    def ways(self, secret: str, readers: Collection[str]) -> list[Way]:
        """Return the ways of all ServiceAccounts to a Secret, but for its readers, which are of this namespace."""
        able = self._able(secret, readers)
        ways = []
        for grant in self._grants:
            is_reader = grant.holder.namespace == self.namespace and grant.holder.name in readers
            if grant.holder.kind != "ServiceAccount" or is_reader:
                continue
            texts, direct = self._leading(grant.rights, secret, able)
            if texts:
                ways.append(
                    Way(
                        holder=grant.holder,
                        binding=grant.binding,
                        position=grant.position,
                        role=grant.role,
                        rights=texts,
                        direct=direct,
                        operator=grant.operator,
                    )
                )
        return ways

    def lets_read(self, account: str, secret: str) -> bool:
        """Whether a ServiceAccount of this namespace is given a Secret itself, and not only by a way round."""
        holder = Holder("ServiceAccount", self.namespace, account)
        grants = (grant for grant in self._grants if _is_among(holder, [grant.holder]))
        return any(self._leading(grant.rights, secret, ())[1] for grant in grants)

    def _able(self, secret: str, readers: Collection[str]) -> set[Holder]:
        """Return who can read a Secret: a right to act as one of them is a way round, too."""
        able = {Holder("ServiceAccount", self.namespace, name) for name in readers}
        while True:
            before = len(able)
            able |= {grant.holder for grant in self._grants if self._leading(grant.rights, secret, able)[0]}
            if len(able) == before:
                return able

    def _leading(self, rights: Iterable[Right], secret: str, able: Collection[Holder]) -> tuple[tuple[str, ...], bool]:
        """Return those of some rights that lead to a Secret; where some give it directly, these alone."""
        direct = [str(right) for right in rights if right.way == "secret" and right.holds_for(secret)]
        if direct:
            return tuple(dict.fromkeys(direct)), True
        round_about = [str(right) for right in rights if right.way != "secret" and self._reaches(right, secret, able)]
        return tuple(dict.fromkeys(round_about)), False

    def _reaches(self, right: Right, secret: str, able: Collection[Holder]) -> bool:
        """Whether a way round leads to a Secret, where it is restricted to accounts, people or roles of some names."""
        if right.names is None or right.way == "workload":
            return True
        if right.way == "account":
            return any(_is_among(Holder("ServiceAccount", self.namespace, name), able) for name in right.names)
        if right.way == "person":
            return any(_is_among(_holder("User", name, ""), able) for name in right.names)
        if right.way == "group":
            return any(name == _ADMINISTRATORS or _is_among(_holder("Group", name, ""), able) for name in right.names)
        return any(self._role_reads(right, name, secret) for name in right.names)

    def _role_reads(self, right: Right, name: str, secret: str) -> bool:
        """Whether a role that may be bound gives a Secret; one that may be changed can be made to."""
        if "escalate" in right.verbs:
            return True
        role = (self._roles if right.resource == "roles" else self._cluster_roles).get(name)
        return role is not None and reading(self._rules(role, ()), secret)

    def _of_binding(self, binding: Document) -> Iterator[_Grant]:
        cluster_wide = binding.subject.kind == "ClusterRoleBinding"
        if not cluster_wide and not (binding.subject.kind == "RoleBinding" and self._is_here(binding)):
            return
        reference = mapping(binding.object.get("roleRef"))
        kind, name = str(reference.get("kind", "")), str(reference.get("name", ""))
        role = (self._cluster_roles if kind == "ClusterRole" else self._roles).get(name)
        if role is None:
            self.unknown.append(binding)
            return
        rules = list(self._rules(role, ()))
        rights = tuple(right for right in rights_of(rules) if cluster_wide or not right.cluster_wide)
        for position, subject in enumerate(sequence(binding.object.get("subjects"))):
            stated = mapping(subject)
            namespace = str(stated.get("namespace") or binding.subject.namespace or self.namespace)
            yield _Grant(
                holder=_holder(str(stated.get("kind", "")), str(stated.get("name", "")), namespace),
                binding=binding,
                position=position,
                role=f"{kind} {name}",
                rights=rights,
                operator=any(
                    rule.states("update", *kind) or rule.states("patch", *kind) for rule in rules for kind in _OPERATED
                ),
            )

    def _rules(self, role: Object, within: tuple[str, ...]) -> Iterator[PolicyRule]:
        """Yield the rules of a role; in a cluster a controller has copied those that are aggregated already."""
        yield from (PolicyRule(mapping(rule)) for rule in sequence(role.get("rules")))
        for selector in sequence(mapping(role.get("aggregationRule")).get("clusterRoleSelectors")):
            for name, other in self._cluster_roles.items():
                labels = mapping(mapping(other.get("metadata")).get("labels"))
                if name not in within and selectors.in_object(mapping(selector)).matches(labels):
                    yield from self._rules(other, (*within, name))


def _holder(kind: str, name: str, namespace: str) -> Holder:
    """Return whom a subject means: ServiceAccounts are users and groups, too."""
    if kind == "User" and name.startswith(_ACCOUNT_USER):
        namespace, _, account = name.removeprefix(_ACCOUNT_USER).partition(":")
        return Holder("ServiceAccount", namespace, account)
    if kind == "Group" and name in _EVERY:
        return Holder("ServiceAccount", "", "")
    if kind == "Group" and name.startswith(_OF_NAMESPACE):
        return Holder("ServiceAccount", name.removeprefix(_OF_NAMESPACE), "")
    return Holder(kind, namespace if kind == "ServiceAccount" else "", name)


def _is_among(holder: Holder, holders: Collection[Holder]) -> bool:
    """Whether a holder is one of several, or of a group of them."""
    groups = (holder._replace(name=""), Holder("ServiceAccount", "", "")) if holder.kind == "ServiceAccount" else ()
    return any(one in holders for one in (holder, *groups))


def _aggregating(name: str, *rules: Object, to: str = "") -> Object:
    labels = {f"{RBAC}/aggregate-to-{to}": "true"} if to else {}
    selector = {"matchLabels": {f"{RBAC}/aggregate-to-{name}": "true"}}
    return {
        "metadata": {"labels": labels},
        "aggregationRule": {"clusterRoleSelectors": [selector]},
        "rules": list(rules),
    }


def _rule(verbs: str, resources: str) -> Object:
    return {"apiGroups": [""], "resources": resources.split(), "verbs": verbs.split()}


# The roles that every cluster has for people, as far as they matter here (Kubernetes 1.35).
_BUILT_IN: dict[str, Object] = {
    "cluster-admin": {"rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]},
    "admin": _aggregating("admin"),
    "edit": _aggregating(
        "edit",
        _rule("get list watch patch deletecollection", "secrets"),
        _rule("create", "pods pods/exec serviceaccounts/token"),
        _rule("impersonate", "serviceaccounts"),
        to="admin",
    ),
    "view": _aggregating("view", to="edit"),
}
