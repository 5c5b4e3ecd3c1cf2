"""What can go wrong with a Vault server, in words of ours: its answers are read, and never quoted."""

from collections.abc import Mapping

from . import tlsfaults

Report = tuple[str, str]  # message and hint


class VaultFailure(Exception):
    """A request failed. It holds why, a word of `_REPORTS`, and nothing of the answer.

    `path` is that of the API which was asked, `capability` what a policy must grant for it, `detail` what else a
    message needs, such as the name of a role.
    """

    def __init__(self, reason: str, status: int = 0, path: str = "", capability: str = "", detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.status, self.path = reason, status, path
        self.capability, self.detail = capability, detail


def concerns_all(error: Exception) -> bool:
    """Whether other names would fail in the same way."""
    return not (isinstance(error, VaultFailure) and error.reason in ("conflict", "refused", "unreadable"))


def is_of_policies(error: Exception) -> bool:
    """Whether a policy lacks a right, which may be given for one path alone."""
    return isinstance(error, VaultFailure) and error.reason == "forbidden"


def may_have_arrived(error: VaultFailure) -> bool:
    """Whether a request that failed may have been carried out all the same."""
    return error.reason in ("no-answer", "cut", "failed")


def report(error: VaultFailure, address: str, name: str) -> Report:
    """Return what went wrong with an entry, and what to do."""
    message, hint = _REPORTS[error.reason]
    mount = error.path.partition("/data/")[0].partition("/metadata/")[0]
    fields = {
        "address": address,
        "name": name,
        "status": error.status,
        "path": error.path,
        "capability": error.capability,
        "mount": mount,
        "method": error.path.removesuffix("/login"),
        "detail": error.detail,
    }
    return f"{address}{message.format(**fields)}", hint.format(**fields)


# The field of the source that is likely at fault.
FIELDS = {
    "no-mount": "mount",
    "below-mount": "mount",
    "v1": "mount",
    "no-namespace": "namespace",
    "ca": "caFile",
    "untrusted": "caFile",
}

# What is behind the address, and the hint.
_REPORTS: Mapping[str, Report] = {
    "forbidden": (
        ": no permission for {name} (403)",
        'the policy must have: path "{path}" {{ capabilities = ["{capability}"] }}',
    ),
    "token": (
        " does not accept the token: it is not this server's, or it has expired (403)",
        "sign in anew with vault login, or set VAULT_TOKEN",
    ),
    "sign-in": (
        " refuses the sign-in at {path} ({status})",
        "VAULT_AUTH_PATH is the path of the method, which vault auth list shows; the Kubernetes method refuses so as "
        "well if the cluster does not know the token, or if Vault can't ask it: vault read {method}/config",
    ),
    "no-role": (
        " has no role {detail} at {method} ({status})",
        "check VAULT_KUBERNETES_ROLE against vault list {method}/role",
    ),
    "unbound": (
        ": the role {detail} ({status})",
        "name the ServiceAccount and its namespace in bound_service_account_names and _namespaces of the role, in "
        "{method}/role",
    ),
    "audience": (
        ": the role takes no token for the audience {detail} ({status})",
        "mount one with the audience of the role (serviceAccountToken.audience of a projected volume), and name its "
        "file in VAULT_KUBERNETES_TOKEN_FILE",
    ),
    "expired": (
        " refuses the sign-in: the token of the ServiceAccount has expired ({status})",
        "in a pod the file is renewed; elsewhere make it anew with kubectl create token",
    ),
    "no-secret-id": (
        " refuses the sign-in at {path}: VAULT_SECRET_ID is not set ({status})",
        "a secret id is made with vault write -f {method}/role/ROLE/secret-id",
    ),
    "secret-id": (
        " does not take VAULT_ROLE_ID with VAULT_SECRET_ID: one is wrong, or the secret id is used up or has expired "
        "({status})",
        "make another one with vault write -f {method}/role/ROLE/secret-id",
    ),
    "wrapped": (
        ": VAULT_SECRET_ID holds a token that wraps the secret id ({status})",
        "unwrap it, once: export VAULT_SECRET_ID=$(VAULT_TOKEN=$VAULT_SECRET_ID vault unwrap -field=secret_id)",
    ),
    "address": (
        " refuses the sign-in at {path} from this machine's address ({status})",
        "see secret_id_bound_cidrs and token_bound_cidrs of the role in {method}/role",
    ),
    "throttled": (
        " is throttling; gave up at {name} (429)",
        "a rate limit quota is used up: try again later, or set a lower parallelism",
    ),
    "no-mount": (" has nothing mounted at {mount}", "check source.vault.mount against vault secrets list"),
    "below-mount": (
        ": {mount} is no mount, and lies below the mount {detail}",
        "write mount: {detail} in source.vault, and the rest of the path before each name",
    ),
    "no-namespace": (" has no such namespace", "check source.vault.namespace against vault namespace list"),
    "v1": (
        ": {mount} is no KV engine of version 2",
        "name another mount in source.vault.mount, or upgrade it: vault kv enable-versioning {mount}",
    ),
    "sealed": (" is sealed (503)", "somebody must unseal it: vault operator unseal"),
    "uninitialised": (
        " is not initialised (501)",
        "check source.vault.address; a new server needs vault operator init",
    ),
    "standby": (
        " is a standby that can't reach the active node ({status})",
        "try again later, or name another node in source.vault.address",
    ),
    "redirect": (
        " sends the request elsewhere ({status}), where no token is sent",
        "name the active node, or the load balancer, in source.vault.address",
    ),
    "failed": (" failed for {name} ({status})", "try again later"),
    "refused": (" refused {name} ({status})", "see the rules of the server, such as the size of an entry"),
    "unreadable": (": {name} is nested too deeply, or holds what is no text", "keep it flat, in properties of text"),
    "conflict": (": somebody else changed {name} meanwhile", "run the same command again"),
    "strange": (" does not answer as a Vault", "check source.vault.address, and the proxy if there is one"),
    "cut": (": the answer for {name} was cut off", "try again; a proxy on the way may be at fault"),
    "no-answer": (" gave no answer for {name}", "try again; it took too long, or the connection was cut"),
    "unreached": (" can't be reached", "check source.vault.address, the network, and HTTPS_PROXY if it is set"),
    "proxy": (
        " can't be reached: HTTPS_PROXY names no http:// or https:// proxy",
        "correct it, as http://proxy.example:3128, or name the server in NO_PROXY",
    ),
    **tlsfaults.REPORTS,
    "client-certificate": (
        " demands a certificate of its clients, of which this tool has none",
        "name a listener in source.vault.address that takes a token alone",
    ),
    "untrusted": (": its certificate is not trusted", "name its CA in source.vault.caFile, or in VAULT_CACERT"),
    "ca": (
        ": the trusted certificates can't be read",
        "source.vault.caFile, or VAULT_CACERT, must name a file of certificates in PEM",
    ),
}
