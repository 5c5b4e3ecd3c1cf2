"""A command, such as a password manager's, that prints one value.

It runs in `seal` alone, as an argument list without a shell, since the overlay that names it may come from a
stranger's pull request; whoever seals has read it.
"""

import subprocess
from collections.abc import Collection, Mapping

from ..errors import Mistake, Refusal
from ..model.types.names import seconds
from ..model.types.sources import Command
from ..sensitive import Sensitive
from ..values.lines import without_line_end
from . import SourceValue, Version


class CommandSource:
    """One call a name; it knows neither versions nor, before it is called, which names exist."""

    def __init__(self, command: Command) -> None:
        self._command, self.shown = command, command.arguments[0]

    def versions(self, names: Collection[str]) -> Mapping[str, Version | None]:
        """Return None for each name."""
        return dict.fromkeys(names)

    def read(self, names: Collection[str]) -> Mapping[str, SourceValue]:
        """Return the values: standard output without its line end. Raises Refusal with every call that failed."""
        values: dict[str, SourceValue] = {}
        mistakes: list[Mistake] = []
        for name in names:
            try:
                values[name] = SourceValue(value=self._call(name))
            except Refusal as error:
                mistakes += error.mistakes
        if mistakes:
            raise Refusal(*mistakes)
        return values

    def names(self) -> Collection[str]:
        """Return nothing: it can't list them."""
        return ()

    def _call(self, name: str) -> Sensitive:
        program = self._command.arguments[0]
        place = self._command.origin.at("arguments")
        if name.startswith("-"):
            raise Refusal(Mistake(f"{name} would be an option of {program}", place, "rename it in the source"))
        arguments = [argument.replace("{name}", name) for argument in self._command.arguments]
        try:
            # Standard error is the user's own: it asks for a password, or says what went wrong.
            done = subprocess.run(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=seconds(self._command.time_limit),
                check=False,
            )
        except subprocess.TimeoutExpired:
            problem = f"{program} gave no answer for {name} in {self._command.time_limit}"
            raise Refusal(Mistake(problem, place, "timeLimit sets how long it may take")) from None
        except (OSError, ValueError) as error:
            problem = (isinstance(error, OSError) and error.strerror) or "can't be run"
            raise Refusal(Mistake(f"{program}: {problem}", place)) from None
        if done.returncode != 0:
            raise Refusal(Mistake(f"{program} failed for {name} with exit code {done.returncode}", place))
        return Sensitive(without_line_end(done.stdout))


def open_source(command: Command) -> CommandSource:
    """Open the command that an overlay names."""
    return CommandSource(command)
