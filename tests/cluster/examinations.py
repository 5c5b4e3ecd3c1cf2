"""What `doctor` says of a shop, and its next steps run as a person would type them."""

import json
import re
import shlex
from typing import NamedTuple

from ..openbao import PROGRAM
from ..peers import peer, run
from ..projects import Done
from .shops import Shop


class Step(NamedTuple):
    """One step of the output."""

    question: str
    subject: str
    verdict: str
    cause: str
    remedies: list[str]


class Examination(NamedTuple):
    """All steps, and the run that gave them."""

    done: Done
    steps: list[Step]

    def of(self, subject: str, question: str = "") -> Step:
        """The only step about an object, or the only one of a question about it."""
        [step] = [step for step in self.steps if step.subject == subject and question in step.question]
        return step

    def all(self, question: str) -> list[Step]:
        """The steps of a question."""
        return [step for step in self.steps if question in step.question]

    @property
    def failed(self) -> list[Step]:
        """The steps that failed."""
        return [step for step in self.steps if step.verdict == "failed"]


def examine(shop: Shop, *arguments: str, **variables: str) -> Examination:
    """Run doctor."""
    done = shop.ksecret("doctor", *arguments, "--output=json", **variables)
    assert done.out, done.err
    steps = [Step(*step.values()) for step in json.loads(done.out)["steps"]]
    return Examination(done, steps)


def follow(shop: Shop, step: Step, **variables: str) -> str:
    """Run the commands of a step's next steps as they are printed; all must succeed. Returns what they print.

    A sentence between them is not run. Behind a command may stand when it is to be run: ", once …" or ", if …".
    """
    remedies = [remedy.removeprefix("a role that allows it: ") for remedy in step.remedies]
    commands = [_CONDITION.split(remedy)[0] for remedy in remedies if remedy.startswith(("kubectl ", "vault "))]
    assert commands, f"no command in {step}"
    return "".join(typed(shop, command, **variables) for command in commands)


_CONDITION = re.compile(", (?:once|if) ")


def typed(shop: Shop, command: str, **variables: str) -> str:
    """Run a command as it stands, as an administrator in the project's folder; it must succeed."""
    words = shlex.split(command)
    if words[:2] == ["kubectl", "ksecret"]:
        done = shop.ksecret(*words[2:], **variables)
        assert done.code == 0, f"{command}: {done}"
        return done.out
    folder = shop.cluster.folder / "typed"
    folder.mkdir(exist_ok=True)
    for name, program in {"kubectl": peer("kubectl"), "vault": str(PROGRAM)}.items():
        if not (folder / name).exists():
            (folder / name).symlink_to(program)
    environment = {
        "PATH": f"{folder}:/usr/bin:/bin",
        "HOME": shop.project.environment["HOME"],
        "KUBECONFIG": str(shop.cluster.kubeconfig),
        "KUBECACHEDIR": str(shop.cluster.folder / "cache"),
    }
    output = run("sh", "-ec", command, folder=shop.project.root, env={**environment, **variables})
    if words[1:3] == ["rollout", "restart"]:
        shop.cluster.kubectl("rollout", "status", *words[3:], "--timeout=60s")
    return output
