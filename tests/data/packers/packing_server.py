"""`python packing_server.py ROOT` packs ROOT/lq and ROOT/gt for each line `OUT WORKERS` that it reads, in a process of its own.

It imports once and forks, so that a packing that is killed costs a tenth of a second. It answers with the process id and, at
the end, the exit status.
"""

import os
import sys
import traceback
from pathlib import Path

from glowdeblur_plugin.data.packers.folder import pack_folder
from glowdeblur_plugin.data.packers.settings import PackSettings


def serve(root: Path) -> None:
    """Until the end of the input."""
    for line in sys.stdin:
        out, workers = line.split()
        process = os.fork()
        if process == 0:
            _pack(root, Path(out), int(workers))
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def _pack(root: Path, out: Path, workers: int) -> None:
    try:
        pack_folder(root / 'gt', out, root / 'lq', settings=PackSettings(encoding='zstd', workers=workers))
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == '__main__':
    serve(Path(sys.argv[1]))
