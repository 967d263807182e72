"""How long the process has run, how much memory it has taken and how much is left, and on which device it can work."""

import os
import threading
import time
import weakref
from pathlib import Path

import torch

from glowdeblur_plugin.errors import UserError

_IMPORTED = time.monotonic()


def process_seconds() -> float:
    """Seconds since this process started (since the first import of this module where the system does not tell)."""
    try:
        fields = Path('/proc/self/stat').read_text().rsplit(')', 1)[1].split()
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(fields[19]) / os.sysconf('SC_CLK_TCK')
    except (OSError, IndexError, ValueError, AttributeError):
        return time.monotonic() - _IMPORTED


def usable_device(name: str, option: str = 'device') -> torch.device:
    """The device of that name, such as `cpu`, `cuda` or `cuda:1`; `auto` is the first GPU, or the CPU where there is none.

    Raises:
        UserError: it cannot be used here; starts with `option`.
    """
    try:
        device = torch.device(('cuda' if torch.cuda.is_available() else 'cpu') if name == 'auto' else name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{option}: '{name}' cannot be used here ({reason}); use auto, cpu, cuda or cuda:1") from error
    return device


def free_bytes(device: torch.device) -> int:
    """Memory that new tensors on that device may take: on CUDA what is free and what this process's allocator holds unused; on
    the CPU what the system says is available (all its memory where it does not say), or less where a control group (version 2)
    leaves less."""
    if device.type == 'cuda':
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    try:
        available = 1024 * _entry(Path('/proc/meminfo'), 'MemAvailable:')
    except (OSError, StopIteration):
        available = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    group = Path('/sys/fs/cgroup')
    try:
        limit, used = (int((group / f'memory.{name}').read_text()) for name in ('max', 'current'))
        return min(available, limit - used + _entry(group / 'memory.stat', 'inactive_file'))
    except (OSError, ValueError, StopIteration):
        return available


def _entry(file: Path, name: str) -> int:
    return next(int(words[1]) for words in map(str.split, file.read_text().splitlines()) if words[0] == name)


class PeakMemory:
    """Watches the memory of this process and its children (the loader's workers) from a thread and keeps the largest sum, as long
    as it is kept itself.

    The sum is of proportional set sizes where the system gives them, so pages that forked workers share count once.
    """

    def __init__(self, interval: float = 2.0) -> None:
        self.megabytes = 0.0
        threading.Thread(target=_watch, args=(weakref.ref(self), interval), daemon=True).start()

    def look(self) -> float:
        """Measure now; returns the largest sum so far in megabytes (2**20 bytes)."""
        self.megabytes = max(self.megabytes, sum(_megabytes(process) for process in _family(os.getpid())))
        return self.megabytes


def _watch(watched: 'weakref.ref[PeakMemory]', interval: float) -> None:
    while (memory := watched()) is not None:
        memory.look()
        del memory
        time.sleep(interval)


def _family(process: int) -> list[int]:
    family = [process]
    try:
        for children in Path(f'/proc/{process}/task').glob('*/children'):
            family += [member for child in children.read_text().split() for member in _family(int(child))]
    except OSError:
        pass
    return family


def _megabytes(process: int) -> float:
    try:
        lines = Path(f'/proc/{process}/smaps_rollup').read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith('Pss:')) / 1024
    except (OSError, StopIteration, ValueError):
        return 0.0
