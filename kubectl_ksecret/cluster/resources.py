"""The kinds of objects that a cluster serves, and the paths of the objects."""

from typing import NamedTuple
from urllib.parse import quote

from ..model.kubernetes import ALIBABA, VAULT_OPERATOR


class Resources(NamedTuple):
    """Objects of one kind as the API serves them. `plural` is the word in paths and in Roles."""

    group: str
    version: str
    plural: str

    @property
    def full_name(self) -> str:
        """The plural with its group, as kubectl takes it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def among(self, namespace: str, name: str = "", subresource: str = "") -> "Target":
        """Return the target of a request in a namespace: one object, or all."""
        return Target(self, namespace, name, subresource)

    def cluster_wide(self, name: str = "") -> "Target":
        """Return the target of a request for objects without a namespace, or for those of all namespaces."""
        return Target(self, "", name, "")


class Target(NamedTuple):
    """What a request is about."""

    resources: Resources
    namespace: str
    name: str
    subresource: str

    @property
    def path(self) -> str:
        """The path of the request."""
        group, version, plural = self.resources
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        parts = ["namespaces", self.namespace] if self.namespace else []
        parts += [part for part in (plural, self.name) if part]
        path = "/".join([root, *(quote(part, safe=":") for part in parts)])
        return f"{path}/{quote(self.subresource)}" if self.subresource else path

    def __str__(self) -> str:
        """The object as messages name it: secrets/app in shop."""
        resources = self.resources.full_name + (f"/{self.name}" if self.name else "")
        return f"{resources} in {self.namespace}" if self.namespace else resources


class NonResource(Target):
    """A path of the API server that leads to no object; `name` is the path without the slash at its beginning."""

    __slots__ = ()

    @property
    def path(self) -> str:
        """The path of the request."""
        return f"/{self.name}"

    def __str__(self) -> str:
        """The path, as messages name it."""
        return self.path


# Of the ServiceAccounts' tokens: who issues them.
ISSUER = NonResource(Resources("", "", ""), "", ".well-known/openid-configuration", "")
NAMESPACES = Resources("", "v1", "namespaces")
SECRETS = Resources("", "v1", "secrets")
SERVICES = Resources("", "v1", "services")
CONFIG_MAPS = Resources("", "v1", "configmaps")
SERVICE_ACCOUNTS = Resources("", "v1", "serviceaccounts")
PODS = Resources("", "v1", "pods")
EVENTS = Resources("", "v1", "events")
ROLES = Resources("rbac.authorization.k8s.io", "v1", "roles")
ROLE_BINDINGS = Resources("rbac.authorization.k8s.io", "v1", "rolebindings")
CLUSTER_ROLES = Resources("rbac.authorization.k8s.io", "v1", "clusterroles")
CLUSTER_ROLE_BINDINGS = Resources("rbac.authorization.k8s.io", "v1", "clusterrolebindings")
DEPLOYMENTS = Resources("apps", "v1", "deployments")
STATEFUL_SETS = Resources("apps", "v1", "statefulsets")
DAEMON_SETS = Resources("apps", "v1", "daemonsets")
CRON_JOBS = Resources("batch", "v1", "cronjobs")
ROLLOUTS = Resources("argoproj.io", "v1alpha1", "rollouts")
EXTERNAL_SECRETS = Resources("external-secrets.io", "v1", "externalsecrets")
SECRET_STORES = Resources("external-secrets.io", "v1", "secretstores")
CLUSTER_SECRET_STORES = Resources("external-secrets.io", "v1", "clustersecretstores")
VAULT_STATIC_SECRETS = Resources(VAULT_OPERATOR, "v1beta1", "vaultstaticsecrets")
VAULT_AUTHS = Resources(VAULT_OPERATOR, "v1beta1", "vaultauths")
VAULT_CONNECTIONS = Resources(VAULT_OPERATOR, "v1beta1", "vaultconnections")
SEALED_SECRETS = Resources("bitnami.com", "v1alpha1", "sealedsecrets")
ACK_EXTERNAL_SECRETS = Resources(ALIBABA, "v1alpha1", "externalsecrets")
ACK_SECRET_STORES = Resources(ALIBABA, "v1alpha1", "secretstores")
