"""A command line whose commands load what they need when they are chosen."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any, Self


class LazyParser(argparse.ArgumentParser):
    """A parser that may get its arguments at its first use.

    Args:
        fill: adds the arguments; it may import what takes time, because the help and other commands do not wait for it.
    """

    def __init__(self, *arguments: Any, fill: Callable[[Self], None] | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._fill = fill

    def parse_known_args(self, args: Sequence[str] | None = None,
                         namespace: argparse.Namespace | None = None) -> tuple[argparse.Namespace, list[str]]:
        """See the base class."""
        fill, self._fill = self._fill, None
        if fill is not None:
            fill(self)
        return super().parse_known_args(args, namespace)
