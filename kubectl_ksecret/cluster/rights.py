"""A right that a request lacked, as the API server names it, and the commands by which an administrator gives it."""

import re
import shlex
from collections.abc import Sequence

from ..frozen import Record

_ANONYMOUS = "system:anonymous"
_ACCOUNT = "system:serviceaccount:"
# forbiddenMessage in apiserver/pkg/endpoints/handlers/responsewriters. Admission rules refuse with 403 too, in words of
# their own, which may quote a value: of those nothing matches, and of these nothing but names.
_FORBIDDEN = re.compile(
    r'(?:[a-z0-9./-]+(?: "(?P<name>[^"]*)")? is )?forbidden: User "(?P<user>(?:[^"\\]|\\.)*)" cannot (?P<verb>[a-z]+) '
    r'(?:resource "(?P<resource>[a-z0-9./-]+)" in API group "(?P<group>[a-z0-9.-]*)"'
    r'(?: in the namespace "(?P<namespace>[a-z0-9-]+)"| at the cluster scope)|path "(?P<path>/[^"\s]*)")'
)


class MissingRight(Record):
    """A verb on a resource, or on a path of the server, that a user may not use.

    `names` restrict the right to objects; without any it is one on all of them.
    """

    user: str
    verb: str
    resource: str
    namespace: str
    path: str
    names: Sequence[str] = ()

    @property
    def remedy(self) -> str:
        """The commands that make a role of just this right and bind it to the user."""
        if self.user == _ANONYMOUS:
            return "nobody is signed in; kubectl auth whoami asks who you are"
        kind = "role" if self.namespace else "clusterrole"
        scope = [f"--namespace={self.namespace}"] if self.namespace else []
        allowing = [f"--non-resource-url={self.path}"] if self.path else [f"--resource={self.resource}"]
        names = [f"--resource-name={_quoted(name)}" for name in self.names]
        role = ["kubectl", "create", kind, self._role, *scope, f"--verb={self.verb}", *allowing, *names]
        binding = ["kubectl", "create", f"{kind}binding", self._role, *scope, f"--{kind}={self._role}", self._subject]
        return f"a role that allows it: {' '.join(role)} && {' '.join(binding)}"

    @property
    def _role(self) -> str:
        """A name that no other right and no other user has, so that a second command meets no role of the first."""
        account, names = self.user.removeprefix(_ACCOUNT), " ".join(self.names)
        words = re.sub("[^a-z0-9]+", "-", f"{account} {self.verb} {self.resource}{self.path} {names}".lower())
        return f"ksecret-{words.strip('-')}"

    @property
    def _subject(self) -> str:
        if self.user.startswith(_ACCOUNT):
            return f"--serviceaccount={self.user.removeprefix(_ACCOUNT)}"
        return f"--user={shlex.quote(self.user)}"


def _quoted(name: str) -> str:
    """Return a name in quotes: one of a proxied Service ends in a colon, as does a part of a sentence."""
    return "'" + name.replace("'", "'\"'\"'") + "'"


def missing_right(message: str) -> MissingRight | None:
    """Return the right that a refusal names; None for any other refusal."""
    match = _FORBIDDEN.match(message)
    if match is None or not match["user"].isprintable():
        return None
    verb, resource, name = match["verb"], match["resource"] or "", match["name"] or ""
    base, slash, subresource = resource.partition("/")
    group = f".{match['group']}" if match["group"] else ""
    # Whoever may act as one may not act as all.
    is_one = verb == "impersonate" and name and re.fullmatch(r"[\w:.@+/-]+", name)
    return MissingRight(
        user=match["user"],
        verb=verb,
        resource=f"{base}{group}{slash}{subresource}",
        namespace=match["namespace"] or "",
        path=match["path"] or "",
        names=[name] if is_one else [],
    )
