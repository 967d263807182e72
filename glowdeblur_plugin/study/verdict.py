"""A few sentences on what came out, or on why nothing is concluded."""

from collections.abc import Sequence

from glowdeblur_plugin.study.analysis import DOMAINS, LEAST_GAIN, REAL, Difference, too_weak
from glowdeblur_plugin.study.options import StudyOptions
from glowdeblur_plugin.study.results import Results

FEW = 6  # of fewer values, the true mean lies outside of all of them more often than one time in 20
PAPER = ('On the project page of GLOWDeblur (arXiv 2601.06525), as we read its table, a mixture of three real sets gains 1.3 '
         'to 2.4 dB from pretraining on diverse blur, with a far larger network and far longer training')


def verdict(study: StudyOptions, results: Results, found: Sequence[Difference]) -> list[str]:
    """Sentences; no conclusion from a smoke run, nor where a domain's own network gains less than 1 dB on it.

    Args:
        found: the differences of the two rows of `bpp`.
    """
    lines = []
    if len(results.seeds) < len(study.seeds):
        lines.append(f'{len(results.seeds)} of {len(study.seeds)} seeds are complete.')
    weak = too_weak(study, results)
    if weak:
        named = ', '.join(f'{gain:+z.2f} dB on {domain}' for domain, gain in weak.items())
        lines.append(f'underpowered: networks trained on a domain alone must gain {LEAST_GAIN:g} dB there, and gain {named}. '
                     'No conclusion is drawn; train longer.')
    if study.smoke:
        lines.append('Smoke run: it shows that every part works. No conclusion is drawn.')
    if weak or study.smoke:
        return lines
    by_place = {difference.on: difference for difference in found}
    lines.append(_outcome(by_place[DOMAINS], 'the domains, of which pretraining saw none'))
    if REAL in by_place:
        lines.append(_outcome(by_place[REAL], 'real pairs, of which no row saw any'))
    for count, what in ((by_place[DOMAINS].scenes, 'scene'), (len(results.seeds), 'seed')):
        if count == 1:
            lines.append(f'One {what}: the intervals say nothing of others.')
        elif count < FEW:
            lines.append(f'{count} {what}s are few: where they differ most, the true difference lies outside of '
                         f'such an interval one time in {2 ** (count - 1)}, not one in 20.')
    return [*lines, f'{PAPER}.']


def _outcome(difference: Difference, where: str) -> str:
    seen = 'no difference is seen'
    if difference.low > 0:
        seen = f'{difference.row} is better'
    elif difference.high < 0:
        seen = f'{difference.row} is worse'
    return (f'On {where}: {difference.row} less {difference.other} is {difference.mean:+z.2f} dB (95 % {difference.low:+z.2f} to '
            f'{difference.high:+z.2f}): {seen}.')
