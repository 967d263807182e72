"""The drawn shares in the log are those of the samples that the run really took."""

import re
from pathlib import Path

import pytest
from toy_run import Options, Runs, write_options

from glowdeblur_plugin.data.bpp_mixture_dataset import BPPMixtureDataset

ITERATIONS, EVERY, BATCH = 12, 3, 4


def expected_shares(options: Options) -> list[float]:
    """Share of part `made` among the samples of every three iterations."""
    dataset = BPPMixtureDataset({**options['datasets']['train'], 'phase': 'train', 'seed': options['manual_seed']})
    dataset.set_run(BATCH, ITERATIONS)
    domains = [dataset[place]['domain'] for place in range(ITERATIONS * BATCH)]
    return [domains[start:start + EVERY * BATCH].count('made') / (EVERY * BATCH)
            for start in range(0, ITERATIONS * BATCH, EVERY * BATCH)]


@pytest.mark.parametrize('ranks', [1, 2])
def test_shares_are_logged(runs: Runs, mixture_options: Options, tmp_path: Path, ranks: int) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    option_file = write_options(tmp_path / 'o.yml', mixture_options, logger__print_freq=EVERY, logger__use_tb_logger=True,
                                datasets__train__batch_size_per_gpu=BATCH // ranks)
    text = runs.train(tmp_path, option_file, ranks=ranks)
    expected = expected_shares(mixture_options)
    assert expected[0] == 0 < expected[2] != expected[3] > 0
    lines = [line for line in text.splitlines() if ' share/made: ' in line]
    for part, shares in (('made', expected), ('real', [1 - share for share in expected])):
        found = [float(re.search(f' share/{part}: (\\S+)', line).group(1)) for line in lines]
        assert found == pytest.approx(shares, abs=1e-4)
        events = EventAccumulator(str(tmp_path / 'tb_logger' / 'toy')).Reload().Scalars(f'share/{part}')
        assert [event.value for event in events] == pytest.approx(shares, abs=1e-6)
