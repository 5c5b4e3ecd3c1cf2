"""Hints held against the real commands: one that names an option which the command lacks helps nobody.

Every run of a command in the tests comes through here (projects.py, golden.py).
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache

import click

from kubectl_ksecret.cli.commands import COMMANDS, group

LINE = re.compile(r"^(?:hint|note|next): (.*)$", re.MULTILINE)
# A command of ours in a sentence: it ends where a pipe, a redirection or the next part of the sentence begins.
OURS = re.compile(r"kubectl ksecret ([a-z]+(?:-[a-z]+)*)((?: (?![|>;&])[^\s;,()]+)*)")
OPTION = re.compile(r"(?<![\w-])--?[a-zA-Z][\w-]*")
# Another program's options are its own matter. A colon within an argument ends no part of a sentence.
OTHERS = re.compile(
    r"\b(?:git|kubeseal|kubectl(?! ksecret)|kustomize|pip|pipx|openssl|az|age|sops|setpriv|argocd|helm|flux)\b"
    r"(?:[^;:]|:(?! ))*"
)


@cache
def options(command: str) -> frozenset[str]:
    """Return the options of a command of ours."""
    context = click.Context(group)
    subject = group.get_command(context, command)
    assert subject is not None, f"no command is named {command}"
    commands = [subject]
    if isinstance(subject, click.Group):
        commands += subject.commands.values()
    parameters = [parameter for subcommand in commands for parameter in subcommand.get_params(context)]
    return frozenset(name for parameter in parameters for name in parameter.opts + parameter.secondary_opts)


def wrong_commands(text: str) -> Iterator[str]:
    """Yield the commands of ours in a text that do not exist, or lack an option that is named with them."""
    for command, rest in OURS.findall(text):
        if command not in COMMANDS:
            yield f"no command {command}"
        elif lacking := set(OPTION.findall(rest)) - options(command):
            yield f"{command} has no {', '.join(sorted(lacking))}"


@cache
def unparsable(command: str, rest: str) -> str:
    """Return why a command can't be run as it is printed, as far as its arguments tell."""
    subject = group.get_command(click.Context(group), command)
    assert subject is not None
    try:
        subject.make_context(command, rest.replace("'", "").replace('"', "").split())
    except (click.MissingParameter, click.NoSuchOption, click.BadOptionUsage) as error:
        return error.format_message()
    except (click.ClickException, click.exceptions.Exit):
        pass  # the sentence goes on
    return ""


def wrong(arguments: Sequence[str], text: str) -> Iterator[str]:
    """Yield what a command prints that names an option or a command which is not there."""
    ran = next((argument for argument in arguments if argument in COMMANDS), None)
    for line in LINE.findall(text):
        yield from (f"{fault}: {line}" for fault in wrong_commands(line))
        for command, rest in OURS.findall(line):
            if command in COMMANDS and (problem := unparsable(command, rest)):
                yield f"{command} does not run: {problem}: {line}"
        remaining = OTHERS.sub("", OURS.sub("", line))
        lacking = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", remaining)) - (options(ran) if ran else frozenset())
        if ran and lacking:
            yield f"{ran} has no {', '.join(sorted(lacking))}: {line}"
