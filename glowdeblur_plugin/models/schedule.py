"""The learning rate as a closed form of the optimizer's step, so that a resumed run needs no scheduler state."""

import math


def warmup_cosine(step: int, total_steps: int, warmup_share: float, final_ratio: float) -> float:
    """Factor on the peak learning rate at optimizer step `step` (1 .. total_steps; larger ones count as the last).

    Linear from 1 / w to 1 over the first w = round(warmup_share x total_steps) steps, then half a cosine that reaches
    `final_ratio` at the last step (SGDR, arXiv 1608.03983, eq. 5 without restarts; the warm-up is our choice).
    """
    step = min(step, total_steps)
    warmup_steps = round(warmup_share * total_steps)
    if step <= warmup_steps:
        return step / warmup_steps
    progress = (step - warmup_steps) / (total_steps - warmup_steps)
    return final_ratio + (1 - final_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
