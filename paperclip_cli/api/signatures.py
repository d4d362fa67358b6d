"""The signature that `help()`, Jupyter's Shift-Tab and completion show of a stage's function."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

from paperclip_cli.config.given import must_exist, option_defaults

Function = TypeVar("Function", bound=Callable[..., Any])


def with_options(config: type, options: type, **defaults: object) -> Callable[[Function], Function]:
    """Gives a function with `**options` a signature that names each of them with its default.

    `config` has the defaults, unless `defaults` are given, and the TypedDict `options` the types.
    Options that the signature lacks are a TypeError, even if `config` knows them.
    """
    known = option_defaults(config) | defaults

    def sign(function: Function) -> Function:
        plain = inspect.signature(function)
        named = [one for one in plain.parameters.values() if one.kind is not one.VAR_KEYWORD]
        first = [one for one in named if one.kind is not one.KEYWORD_ONLY]
        last = [one for one in named if one.kind is one.KEYWORD_ONLY]
        of_config = [
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=known[name], annotation=hint
            )
            for name, hint in get_type_hints(options).items()
        ]
        signature = plain.replace(parameters=[*first, *of_config, *last])

        @functools.wraps(function)
        def checked(*arguments: Any, **given: Any) -> Any:
            for name in given:
                must_exist(name, signature.parameters)
            return function(*arguments, **given)

        checked.__signature__ = signature  # type: ignore[attr-defined]
        return checked  # type: ignore[return-value]

    return sign
