"""`glowdeblur steps`: what each number of sampling steps is worth, by solver and start."""

import argparse
from typing import Annotated

from glowdeblur_plugin.commands.arguments import report_folder
from glowdeblur_plugin.errors import UserError
from glowdeblur_plugin.files import write_atomically
from glowdeblur_plugin.options import Between, convert


def add(commands: argparse._SubParsersAction) -> None:
    """Add the sub-command."""
    parser = commands.add_parser('steps', help='figures of a trained GLOWDeblur against its sampling steps',
                                 description='Restore the test pictures of an option file with several numbers of steps, '
                                             'solvers and starts: a table on the screen and in steps.csv, and steps.png.')
    parser.add_argument('-opt', required=True, nargs='+', metavar='FILE',
                        help='option file of a test: options/quickstart_test.yml; several are compared in one table')
    parser.add_argument('--weights', metavar='FILE', help='checkpoint instead of path:pretrain_network_g of all files')
    parser.add_argument('--out', type=report_folder, default='steps', help='folder for steps.csv and steps.png (default: steps)')
    parser.add_argument('--steps', default='1,2,4,8,20', help='numbers of steps (default: 1,2,4,8,20)')
    parser.add_argument('--solvers', default='euler,dpm', help='some of euler, dpm, scm (default: euler,dpm)')
    parser.add_argument('--starts', default='1,0.5', help='noise levels to start at (default: 1,0.5)')
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from glowdeblur_plugin.diffusion.sampler import SolverName

    steps, solvers, starts = ([convert(_number(entry), hint, f'--{name}') for entry in getattr(options, name).split(',')]
                              for name, hint in (('steps', Annotated[int, Between(1)]), ('solvers', SolverName),
                                                 ('starts', Annotated[float, Between(0.001, 1)])))
    _require_own_names(options.opt)
    rows = _joined([_measure(file, options.weights, steps, solvers, starts) for file in options.opt])

    from glowdeblur_plugin.drawing import encode_png
    from glowdeblur_plugin.report.step_study import as_csv, as_table, steps_chart

    write_atomically(options.out / 'steps.csv', as_csv(rows))
    write_atomically(options.out / 'steps.png', encode_png(steps_chart(rows)))
    print(as_table(rows))
    print(f'{options.out}: steps.csv, steps.png')


def _require_own_names(files: list[str]) -> None:
    """Refuse files of one `name`, whose rows nobody could tell apart."""
    from glowdeblur_plugin.option_file import read_option_file

    named: dict[str, str] = {}
    for file in files:
        name = str(read_option_file(file).get('name'))
        if name in named:
            raise UserError(f'-opt: {named[name]} and {file} both have the name {name}, by which the table tells them apart; give '
                            'each its own')
        named[name] = file


def _joined(tables: list[tuple[str, list[dict]]]) -> list[dict]:
    """The rows of all tables; where there are several, those that differ are named after their table."""
    shared = [row for row in tables[0][1] if all(row in table for _, table in tables)]
    return shared + [{**row, 'way': f"{name}: {row['way']}"} for name, table in tables for row in table if row not in shared]


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip()


def _measure(file: str, weights: str | None, steps: list[int], solvers: list[str],
             starts: list[float]) -> tuple[str, list[dict]]:
    """The option file's `name` and the mean rows of its pictures."""
    import torch
    from basicsr.data import build_dataset
    from torch.utils.data import default_collate

    from glowdeblur_plugin.commands.trained_model import load_trained
    from glowdeblur_plugin.data.progress import ProgressLine
    from glowdeblur_plugin.models.deblur_model import VALIDATION_SEED
    from glowdeblur_plugin.models.seeds import picture_generator
    from glowdeblur_plugin.models.semantic import allowed_texts
    from glowdeblur_plugin.models.step_study import mean_rows, study_steps

    model, opt = load_trained('steps', file, weights)
    if (opt['val'] or {}).get('oracle_guidance'):
        raise UserError('val:oracle_guidance: steps are measured without it; set it to false')
    datasets = [build_dataset(section) for _, section in sorted(opt['datasets'].items())]
    progress, studies = ProgressLine(), []
    net, grid = model.evaluation_network().eval(), (solvers, starts, steps)
    combinations = 4 + len(steps) * len(solvers) * len(starts)
    total = combinations * sum(map(len, datasets))
    with torch.inference_mode():
        for dataset in datasets:
            for index in range(len(dataset)):
                batch = model.to_device(default_collate([dataset[index]]))
                if 'gt' not in batch:
                    raise UserError(f"{dataset.opt['name']}: '{batch['lq_path'][0]}' has no sharp picture to compare with")
                rows, generator = [], picture_generator(VALIDATION_SEED, index)
                texts = {'guidance': model.val_options.guidance, **allowed_texts(net, batch)}
                with torch.autocast(model.device.type, torch.bfloat16, enabled=model.validates_in_bf16):
                    fitted = model.tiles.fit(net, *batch['lq'].shape[-2:])
                    for row in study_steps(fitted, batch['lq'], batch['gt'], generator, *grid, **texts):
                        rows.append(row)
                        progress('restored', len(studies) * combinations + len(rows), total)
                studies.append(rows)
    return opt['name'], mean_rows(studies)
