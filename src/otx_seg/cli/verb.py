"""Common behaviour of all verbs: a file or folder without its option is refused with the name of the option."""

from __future__ import annotations

from pathlib import Path

import click

from otx_seg.cli.other_tools import hint
from otx_seg.errors import UsageError
from otx_seg.runtime.urls import refuse_urls
from otx_seg.workspace.command_line import otx_command
from otx_seg.workspace.model_file import holds_model

_MODELS = (".pth", ".xml", ".onnx", ".zip")
_TEMPLATES = (".yaml", ".yml")


class Verb(click.Command):
    """A command whose files and folders are named by options.

    Attributes:
        may_be_urls: names of parameters that take addresses in a network too.
        needs_screen: whether messages and progress are shown, which needs imports that take a moment.
    """

    may_be_urls: tuple[str, ...] = ()
    needs_screen = True

    def invoke(self, ctx: click.Context) -> None:
        if self.needs_screen:
            from otx_seg.cli.screen import prepare_screen

            prepare_screen()
        super().invoke(ctx)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not ctx.resilient_parsing:
            self._refuse_strays(ctx, args)
        try:
            rest = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            told = hint(self, error.option_name, self.parameter_names())
            if told is None:
                raise
            raise UsageError(told) from error
        if not ctx.resilient_parsing:
            paths = (item for item in self.params if item.name not in self.may_be_urls)
            refuse_urls({max(item.opts, key=len): ctx.params.get(item.name or "") for item in paths})
        return rest

    def _refuse_strays(self, ctx: click.Context, args: list[str]) -> None:
        """
        Raises:
            UsageError: a file or folder stands where none is expected, and an option of this command takes such.
        """
        try:
            values, rest, _ = self.make_parser(ctx).parse_args(list(args))
        except click.UsageError:
            return  # whatever else is wrong, click says
        if set(args).intersection(ctx.help_option_names):
            return
        arguments = (values.get(item.name or "") for item in self.params if isinstance(item, click.Argument))
        words = [*(word for word in arguments if isinstance(word, str) and not _is_template(word)), *rest]
        found = [(word, option) for word in words if (option := self._option_for(word)) is not None]
        if not found:
            return
        option = found[0][1]
        alike = [word for word, its_option in found if its_option == option]
        together = alike if self.takes_several(option) else alike[:1]
        raise UsageError(
            f"{together[0]}: is given without its option, which is {option}, as in "
            + otx_command(ctx.info_name or "", option, *together)
        )

    def parameter_names(self) -> dict[str, str]:
        """What people are told that the hyper-parameters this command takes are called, by their own names."""
        return {}

    def takes_several(self, option: str) -> bool:
        """Whether several words may follow an option."""
        return False

    def _option_for(self, word: str) -> str | None:
        """The option that a stray word belongs to; None if it is not a file or folder, or none takes it."""
        options = [max(item.opts, key=len) for item in self.params if isinstance(item, click.Option)]
        data = next((name for name in options if name.endswith("data-roots") or name == "--input"), None)
        weights = "--load-weights" if "--load-weights" in options else None
        path = Path(word)
        if path.suffix.lower() in _MODELS:
            return weights
        if path.suffix.lower() in _TEMPLATES:
            return next((name for name in ("--model", "--template") if name in options), None)
        if path.is_dir():
            return weights or data if holds_model(path) else data or weights
        return data if path.exists() or len(path.parts) > 1 else None


def _is_template(word: str) -> bool:
    """Whether a word may be the name or the file of a template."""
    path = Path(word)
    if path.is_dir():
        from otx_seg.template import find_templates

        return any(word.lower() in (found.name.lower(), found.id.lower()) for found in find_templates())
    return path.suffix.lower() not in _MODELS
