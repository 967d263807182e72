"""The learning rate as a closed form of the optimizer's step, so that a resumed run needs no scheduler state."""

import math


def warmup_cosine(step: int, total_steps: int, warmup_share: float, final_ratio: float, constant_share: float = 0.0) -> float:
    """Factor on the peak learning rate at optimizer step `step` (1 .. total_steps; larger ones count as the last).

    Linear from 1 / w to 1 over the first w = round(warmup_share x total_steps) steps, 1 over the next round(constant_share x
    total_steps), then half a cosine that reaches `final_ratio` at the last step (SGDR, arXiv 1608.03983, eq. 5 without
    restarts; the warm-up is our choice, the constant part Restormer's).
    """
    step = min(step, total_steps)
    warmup_steps = round(warmup_share * total_steps)
    if step <= warmup_steps:
        return step / warmup_steps
    start = warmup_steps + round(constant_share * total_steps)
    if step <= start:
        return 1.0
    progress = (step - start) / (total_steps - start)
    return final_ratio + (1 - final_ratio) * 0.5 * (1 + math.cos(math.pi * progress))
