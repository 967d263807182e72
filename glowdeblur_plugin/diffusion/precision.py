"""Where arithmetic keeps the precision of its inputs."""

from contextlib import AbstractContextManager, nullcontext

import torch


def without_autocast(device: torch.device) -> AbstractContextManager[None]:
    """A context without autocast on that device; the meta device has none to switch off."""
    return nullcontext() if device.type == 'meta' else torch.autocast(device.type, enabled=False)
