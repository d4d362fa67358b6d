"""JAX without the devices that it was told to use, and with 64-bit numbers."""

from __future__ import annotations

import jax
import pytest

from paperclip_cli.errors import PaperclipError
from paperclip_cli.towers.local_devices import local_devices, refuse_64_bits


def test_the_devices_are_those_of_jax() -> None:
    assert local_devices() == jax.local_devices()


@pytest.mark.parametrize("error", [AssertionError(), RuntimeError("the driver is too old\nmore")])
def test_a_device_that_cannot_be_opened_is_said(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> list[jax.Device]:
        raise error

    monkeypatch.setattr(jax, "local_devices", broken)
    with pytest.raises(PaperclipError, match="cannot use the devices of this machine") as failed:
        local_devices()
    assert failed.value.message.endswith(
        f"({str(error).partition(chr(10))[0] or 'AssertionError'})"
    )


def test_64_bits_are_refused_and_32_are_not() -> None:
    refuse_64_bits()
    with jax.enable_x64(True), pytest.raises(PaperclipError, match="JAX_ENABLE_X64"):
        refuse_64_bits()
