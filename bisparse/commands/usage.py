"""A mistake in the words of a command line, told as every other mistake: one line, what was got and what is needed.

The parser's own exceptions are read by their names and attributes: of typer's versions some bring the parser along
and some import it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any

import typer

UsageError: type[Exception] = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")
"""What the parser raises at words that it cannot read."""


LARGEST_NUMBER, _LONGEST = 2**31 - 1, 24
"""Of a number on a command line, and of its digits: nobody waits for more of anything."""


def whole_number(
    option: str, *, at_least: int, example: int, at_most: int = LARGEST_NUMBER
) -> Callable[[str | int], int]:
    """The parser of an option that takes a whole number.

    Args:
        option: its name, for the message.
        at_least: the smallest that is taken.
        example: a number that is good, for the message.
        at_most: the largest that is taken.
    """
    from ..configs.errors import ConfigError

    def parse(given: str | int) -> int:
        # A default comes as the number that it is.
        text = str(given).strip()
        if not re.fullmatch(r"[-+]?[0-9]+", text):
            raise ConfigError(f"{option}: got {text!r}, need a whole number; try {example}")
        if len(text) > _LONGEST or int(text) > at_most:
            raise ConfigError(f"{option}: got {text[:_LONGEST]}, need at most {at_most}; try {example}")
        if int(text) < at_least:
            raise ConfigError(f"{option}: got {text}, need at least {at_least}; try {example}")
        return int(text)

    return parse


def between_commas(option: str, text: str, *, example: str) -> list[str]:
    """The values of an option that takes several, none of them empty.

    Args:
        option: its name, for the message.
        text: what was given.
        example: values that are good, for the message.

    Raises:
        ConfigError: nothing stands before, between or behind commas.
    """
    from ..configs.errors import ConfigError

    found = [word.strip() for word in text.split(",")]
    if not all(found):
        good = ",".join(filter(None, found)) or example
        raise ConfigError(f"{option}: got {text!r}, need a value on both sides of a comma; try {good}")
    return found


def wants_help(error: Exception) -> bool:
    """Whether it is no mistake but a bare command, which shows its help."""
    return type(error).__name__ == "NoArgsIsHelpError"


def one_line(error: Any, words: Sequence[str]) -> str:
    """The mistake in one line.

    Args:
        error: a ``UsageError``.
        words: of the command line, without the program's name.
    """
    command = _command_path(error, words)
    message = " ".join(str(error.format_message()).split())
    quoted = re.search(r"'([^']*)'", message)
    match type(error).__name__:
        case "NoSuchOption":
            return _unknown_option(error, words, command)
        case "MissingParameter":
            return _missing(error.param, command)
        case "BadOptionUsage":
            takes_none = "does not take" in message
            what = "got a value, need none" if takes_none else "got nothing, need a value"
            return f"{error.option_name}: {what}; try {command} --help"
    if extra := re.search(r"unexpected extra arguments? ?\(?s?\)? \((.*)\)", message):
        return f"{command}: got {extra[1]!r} after its last argument, need nothing there; try {command} --help"
    if quoted and message.startswith("No such command"):
        commands = list(error.ctx.command.commands)
        near = difflib.get_close_matches(quoted[1], commands, n=1)
        return f"{command}: got {quoted[1]!r}, need one of {', '.join(commands)}{f'; try {near[0]}' if near else ''}"
    return f"{command}: got words it cannot read ({message.rstrip('.')}), need what its help says; try {command} --help"


def _command_path(error: Any, words: Sequence[str]) -> str:
    """The command, as it is typed; some mistakes are found before the parser knows it, but its name comes first."""
    if error.ctx is not None:
        return str(error.ctx.command_path)
    return f"bisparse {words[0]}" if words and not words[0].startswith("-") else "bisparse"


def _unknown_option(error: Any, words: Sequence[str], command: str) -> str:
    parameters = error.ctx.command.params if error.ctx is not None else []
    given = next((word for word in words if word.startswith(error.option_name)), error.option_name)
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    if arguments and re.match(r"-\.?\d", given):
        return f"{_shown(arguments[0])}: got {given!r}, need a value without a minus; try {command} --help"
    if error.ctx is not None and error.option_name in _names_of(error.ctx.find_root().command):
        rest = command.removeprefix("bisparse ")
        return f"{error.option_name}: got it behind {rest}, need it before; try bisparse {error.option_name} {rest}"
    names = [name for each in parameters for name in (*each.opts, *each.secondary_opts) if name.startswith("-")]
    near = difflib.get_close_matches(error.option_name, names, n=1)
    advice = near[0] if near else f"{command} --help"
    return f"{error.option_name}: got no option of this name, need one of {command}; try {advice}"


def _names_of(command: Any) -> set[str]:
    """Of the options of a command."""
    return {name for each in command.params for name in each.opts}


def _missing(parameter: Any, command: str) -> str:
    meaning = (getattr(parameter, "help", "") or "a value").partition(". ")[0].rstrip(".")
    return f"{_shown(parameter)}: got nothing, need {meaning[:1].lower()}{meaning[1:]}; try {command} --help"


def _shown(parameter: Any) -> str:
    """An option by its name, an argument by what the help calls it."""
    if parameter.param_type_name == "option":
        return str(parameter.opts[0])
    return str(parameter.metavar or parameter.human_readable_name)
