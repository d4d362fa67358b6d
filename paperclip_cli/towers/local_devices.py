"""The devices that JAX computes on."""

from __future__ import annotations

import jax

from paperclip_cli.errors import PaperclipError


def local_devices() -> list[jax.Device]:
    """The devices of this process.

    Raises:
        PaperclipError: JAX has none of those that it was told to use (`JAX_PLATFORMS=cuda` on a
            machine without a GPU), or cannot open them.
    """
    try:
        return jax.local_devices()
    except (RuntimeError, AssertionError) as error:  # JAX asserts that one platform was there
        asked = jax.config.values["jax_platforms"]
        reason = str(error).partition("\n")[0]
        if asked:
            unknown = f"JAX_PLATFORMS is {asked!r}, and this machine has no such device that JAX "
            raise PaperclipError(
                unknown + "can use" + (f" ({reason})" if reason else ""),
                "leave it out to compute on what there is, or set JAX_PLATFORMS=cpu",
            ) from error
        raise PaperclipError(
            f"JAX cannot use the devices of this machine ({reason or type(error).__name__})",
            "JAX_PLATFORMS=cpu computes on the processor",
        ) from error


def refuse_64_bits() -> None:
    """PaperclipError where JAX makes 64-bit numbers by default, which no model here has."""
    if jax.config.values["jax_enable_x64"]:
        raise PaperclipError(
            "JAX is set to 64-bit numbers (JAX_ENABLE_X64), and models are trained in 32 bits",
            "unset it, or call jax.config.update('jax_enable_x64', False)",
        )
