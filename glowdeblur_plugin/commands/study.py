"""`glowdeblur study`: which training data carries over to blur that was not trained on."""

import argparse
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glowdeblur_plugin.commands.arguments import report_folder

if TYPE_CHECKING:
    from glowdeblur_plugin.study.options import StudyOptions


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('study', help='train networks on domains of blur and their mixtures, and test all on all',
                                 description='Train every row of a study, test all on all, and write tables, a heat map and '
                                             'a verdict. The same command goes on where it was stopped.')
    parser.add_argument('-opt', required=True, metavar='FILE', help='the study: options/study/small.yml')
    parser.add_argument('--force_yml', nargs='+', default=[], metavar='KEY=VALUE', help='change options: seeds=[0]')
    parser.add_argument('--out', type=report_folder, help='folder of the results (default: results/<name>)')
    parser.add_argument('--report', action='store_true', help='train nothing; report on the seeds that are complete')
    parser.set_defaults(run=_study)


def _study(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.checks import check_data_paths
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.study.diversity import row_diversities
    from glowdeblur_plugin.study.evaluation import Evaluation
    from glowdeblur_plugin.study.regions import check_disjoint
    from glowdeblur_plugin.study.report import FILES, make_report, write_report
    from glowdeblur_plugin.study.results import read_results
    from glowdeblur_plugin.study.runs import Runs
    from glowdeblur_plugin.study.trainings import Training, all_trainings, training_of, training_options

    study = _read(options.opt, options.force_yml)
    check_disjoint(study)
    trainings = {training: training_options(study, training) for training in all_trainings(study)}
    for training, section in trainings.items():
        _check(training.name, section)
    progress = ProgressLine()
    if study.prepare is not None:
        from glowdeblur_plugin.data.packers.prepare import prepare

        prepare(study.prepare, Path.cwd(), progress)
    folder = options.out or Path('results') / study.name
    evaluation = Evaluation(study, folder, _device(study))
    if not options.report:
        for section in trainings.values():
            check_data_paths(section)
        runs = Runs(folder, trainings, study.threads)
        runs.write_options()
        evaluation.measure_blurry(progress)
        final = {training_of(study, row, seed) for row in study.rows for seed in study.seeds}

        def look(training: Training) -> None:
            if training in final:
                evaluation.measure(training.name, training.weights, runs.check_running)

        for training in final:
            if not training.weights.exists():
                evaluation.forget(training.name)

        before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that trainings are ended too
        try:
            runs.run(list(trainings), study.jobs, look, progress)
        finally:
            signal.signal(signal.SIGTERM, before)
    report = make_report(study, read_results(study, evaluation), row_diversities(study, progress))
    write_report(report, folder)
    print('\n'.join(report.verdict))
    print(f'{folder}: {", ".join(FILES)}')


def _read(file: str, changes: list[str]) -> 'StudyOptions':
    from glowdeblur_plugin import compat
    from glowdeblur_plugin.option_file import apply_changes, read_option_file
    from glowdeblur_plugin.register import register
    from glowdeblur_plugin.study.options import read_study

    compat.install()
    register()
    section = read_option_file(file)
    apply_changes(section, changes)
    return read_study(section)


def _check(name: str, section: dict[str, Any]) -> None:
    """Check a training's option file as the training itself does."""
    from glowdeblur_plugin.checks import check_options
    from glowdeblur_plugin.errors import UserError

    try:
        check_options({**section, 'datasets': {'train': dict(section['datasets']['train'])}}, is_train=True)
    except UserError as error:
        raise UserError(f'training {name}: {error}') from None


def _device(study: 'StudyOptions') -> Any:
    import torch

    if study.num_gpu != 0 and torch.cuda.is_available():
        return torch.device('cuda')
    torch.set_num_threads(study.threads)
    return torch.device('cpu')
