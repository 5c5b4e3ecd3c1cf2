"""What the questions of `doctor` share: one look at the cluster, and the steps that they answer with."""

import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import Literal, NamedTuple, TypeVar

from ...cluster.api import FIELD_MANAGER, Api, Refused
from ...cluster.certificates import Controller, NoController, Reached, reach
from ...cluster.resources import EVENTS, SECRETS, Resources, Target
from ...cluster.secrets import SecretMetadata, find_secret, list_secrets
from ...frozen import Record
from ...model.kubernetes import Object
from ...model.loading import readable
from ...model.resolution import Environment
from ...objects.documents import Document
from ...sources import Progress
from ..deployment import DeployedSecret, Deployment
from ..survey import root_of

Answer = TypeVar("Answer")
Verdict = Literal["passed", "failed", "unknown", "not applicable"]


class Step(Record):
    """The answer to a question about one object.

    `subject` is the object as kubectl names it, such as externalsecret.external-secrets.io/app. `cause` says what is
    wrong, why the question could not be answered or does not apply, or what a passed step saw. `remedy` is the next
    step: a command that works when it is typed, or a sentence where no command helps. Where there are several, each
    stands on a line of its own. Of many steps that pass, text shows the first ones, and those that are `listed`.
    """

    question: str
    subject: str
    verdict: Verdict
    cause: str = ""
    remedy: str = ""
    listed: bool = False


def unasked(question: str, subject: str, refused: Refused) -> Step:
    """Return the step of a question that the cluster refuses for lack of a right. Raises any other refusal."""
    if refused.status != 403:
        raise refused
    mistake = refused.mistakes[0]
    return Step(question=question, subject=subject, verdict="unknown", cause=mistake.message, remedy=mistake.hint)


class DoctorRequest(Record):
    """What the user asked for, and when. `controller` is where the one of Sealed Secrets is looked for.

    With `as_workload`, sign in to the vault as the ServiceAccount does that reads it for the cluster. With `wait`, ask
    again as long as a step fails, for at most `timeout` seconds; 0 is for ever.
    """

    now: datetime
    addresses: Sequence[str] = ()
    controller: Controller = Controller()
    as_workload: bool = False
    wait: bool = False
    timeout: float = 0


class Examination:
    """One look at what an overlay deploys and at its cluster. Each kind is listed once, however many ask for it.

    `secrets` are the deployed Secrets that are looked at, by their declared names. `broken` has, for a Secret that an
    earlier step found at fault, the title of that step's question: later ones then point there. Questions that take
    long tell `progress` how far they are.
    """

    def __init__(
        self,
        environment: Environment,
        api: Api,
        request: DoctorRequest,
        deployment: Deployment,
        secrets: Mapping[str, DeployedSecret],
        progress: Progress,
    ) -> None:
        self.environment, self.api, self.request = environment, api, request
        self.deployment, self.secrets, self.progress = deployment, secrets, progress
        self.broken: dict[str, str] = {}
        self._controller: Reached | NoController | Refused | None = None
        self._lists: dict[tuple[Target, str], list[Object] | Refused] = {}
        self._objects: dict[Target, Object | Refused | None] = {}
        self._texts: dict[Target, str | Refused] = {}
        self._served: dict[Resources, bool] = {}
        self._secret_lists: dict[str, Mapping[str, SecretMetadata] | Refused] = {}
        self._secrets: dict[tuple[str, str], SecretMetadata | Refused | None] = {}

    @property
    def namespace(self) -> str:
        """The namespace that the Secrets are deployed to."""
        return self.deployment.namespace

    @property
    def apply_command(self) -> str:
        """The command that applies all that the overlay's kustomization builds.

        Conflicts are forced, as by `sync`: what a server fills into a list is one with whoever applied it before.
        """
        folder = shlex.quote(os.path.relpath(root_of(self.environment)))
        return f"kubectl apply --server-side --force-conflicts --field-manager={FIELD_MANAGER} --kustomize={folder}"

    @cached_property
    def neighbours(self) -> Sequence[Environment]:
        """The project's other overlays of the same namespace, as far as they can be read."""
        own = self.environment
        others = [other for other in readable(own.project, [own]) if other.file != own.file]
        return [other for other in others if other.namespace == self.namespace]

    def built(self, kind: str, name: str) -> Document | None:
        """Return an object of the build, or None if it has none of that kind and name."""
        subjects = ((document.subject, document) for document in self.deployment.objects)
        return next((document for subject, document in subjects if (subject.kind, subject.name) == (kind, name)), None)

    def all(self, resources: Resources, namespace: str = "", *, selector: str = "") -> Sequence[Object]:
        """Return all objects of a kind in a namespace, or in the whole cluster. Raises Refused as Api does."""
        target = resources.among(namespace) if namespace else resources.cluster_wide()
        if resources == SECRETS:
            raise AssertionError("a list of Secrets holds values; ask for each with `live`")
        if (target, selector) not in self._lists:
            parameters = {"labelSelector": selector} if selector else {}
            self._lists[target, selector] = _or_refusal(lambda: self.api.all(target, parameters))
        return _without_refusal(self._lists[target, selector])

    def find(self, target: Target) -> Object | None:
        """Return an object, or None if there is none. Raises Refused as Api does."""
        if target not in self._objects:
            self._objects[target] = _or_refusal(lambda: self.api.find(target))
        return _without_refusal(self._objects[target])

    def serves(self, resources: Resources) -> bool:
        """Whether the cluster has a kind at all."""
        if resources not in self._served:
            self._served[resources] = self.api.serves(resources)
        return self._served[resources]

    def text(self, target: Target, parameters: Mapping[str, str]) -> str:
        """Return a text, such as a pod's log, which may hold values. Raises Refused as Api does."""
        if target not in self._texts:
            self._texts[target] = _or_refusal(lambda: self.api.text(target, parameters))
        return _without_refusal(self._texts[target])

    def events(self, live: Object) -> list[Object]:
        """Return the Events of an object, the oldest first. Their messages may hold values."""
        uid = live["metadata"]["uid"]
        # Those of objects without a namespace are in `default`.
        listed = self.all(EVENTS, live["metadata"].get("namespace") or "default")
        events = [event for event in listed if event.get("involvedObject", {}).get("uid") == uid]
        # The times have whole seconds; within one the resourceVersion tells.
        return sorted(events, key=lambda event: (event.get("lastTimestamp") or "", _version(event)))

    def live(self, secret: DeployedSecret) -> SecretMetadata | None:
        """Return a Secret of the overlay as it is in the cluster, or None if there is none."""
        if secret.namespace not in self._secret_lists:
            self._secret_lists[secret.namespace] = _or_refusal(lambda: list_secrets(self.api, secret.namespace))
        listed = self._secret_lists[secret.namespace]
        if isinstance(listed, Refused):
            # A Role may name the Secrets that can be read, and then nothing can be listed.
            return self.secret(secret.namespace, secret.name)
        return listed.get(secret.name)

    def is_there(self, name: str) -> bool:
        """Whether the namespace has a Secret, be it the overlay's or not. Raises Refused without the right to list."""
        if self.namespace not in self._secret_lists:
            self._secret_lists[self.namespace] = _or_refusal(lambda: list_secrets(self.api, self.namespace))
        return name in _without_refusal(self._secret_lists[self.namespace])

    def controller(self) -> Reached:
        """Return the controller of Sealed Secrets. Raises NoController or Refused if it does not answer."""
        if self._controller is None:
            try:
                self._controller = reach(self.api, self.request.controller)
            except (NoController, Refused) as error:
                self._controller = error
        if isinstance(self._controller, NoController):
            raise self._controller
        return _without_refusal(self._controller)

    def secret(self, namespace: str, name: str) -> SecretMetadata | None:
        """Return any Secret, or None if there is none."""
        if (namespace, name) not in self._secrets:
            self._secrets[namespace, name] = _or_refusal(lambda: find_secret(self.api, namespace, name))
        return _without_refusal(self._secrets[namespace, name])


class Question(NamedTuple):
    """One question of the chain. `ask` answers it with a step for each object, or none if there is no such object.

    Where the cluster refuses a right that `ask` needs, the question is answered with `unknown` and the missing verb.
    """

    title: str
    ask: Callable[[Examination], Iterable[Step]]


def _or_refusal(ask: Callable[[], Answer]) -> Answer | Refused:
    """Return an answer, or the refusal, so that what is refused is asked for once."""
    try:
        return ask()
    except Refused as refused:
        return refused


def _without_refusal(answer: Answer | Refused) -> Answer:
    if isinstance(answer, Refused):
        raise answer
    return answer


def _version(event: Object) -> int:
    text = str(event["metadata"].get("resourceVersion") or "0")
    return int(text) if text.isdecimal() else 0
