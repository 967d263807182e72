"""The aligned protocols of RealBlur and RSBlur on pictures that were moved in a known way."""

import cv2
import numpy as np
import pytest
from photographs import sharp

from glowdeblur_plugin.metrics import alignment
from glowdeblur_plugin.metrics.alignment import Aligned, align, masked_psnr, masked_ssim
from glowdeblur_plugin.metrics.catalogue import PictureFailed, open_metric

MOVE = np.array([[1.004, 0.006, 1.7], [-0.005, 0.997, -2.4], [1e-5, -8e-6, 1]])
SIZE = (160, 160)
DARKER = 0.95


@pytest.fixture(scope='module')
def truth() -> np.ndarray:
    return sharp(*SIZE, name='coffee')


@pytest.fixture(scope='module')
def moved(truth: np.ndarray) -> np.ndarray:
    """The truth seen by a camera that moved a little, with noise of one level."""
    view = cv2.warpPerspective(truth, MOVE, SIZE, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    return np.clip(view + np.random.default_rng(0).normal(0, 3 / 255, view.shape), 0, 1).astype(np.float32)


@pytest.fixture(scope='module')
def eight_bit(moved: np.ndarray) -> np.ndarray:
    return np.rint(moved * 255).astype(np.float32) / 255


def test_alignment_finds_the_homography(truth: np.ndarray, moved: np.ndarray, eight_bit: np.ndarray) -> None:
    """The score is that of a warp by the true homography, 15 dB above that of pictures that are not aligned."""
    gain = (truth * eight_bit).sum() / np.square(eight_bit).sum()
    back, mask = (cv2.warpPerspective(picture, MOVE, SIZE, flags=flags | cv2.WARP_INVERSE_MAP, borderMode=border)
                  for picture, flags, border in ((gain * eight_bit, cv2.INTER_CUBIC, cv2.BORDER_REFLECT),
                                                 (np.ones_like(truth), cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)))
    expected = -10 * np.log10(np.square((back - truth) * mask).sum() / mask.sum())
    found = open_metric('psnr', 'realblur-aligned')(moved, truth)
    assert found == pytest.approx(expected, abs=0.1)
    assert found > open_metric('psnr')(moved, truth) + 14
    assert open_metric('ssim-2d', 'realblur-aligned')(moved, truth) > open_metric('ssim-2d')(moved, truth) + 0.3


def test_the_mask_is_where_the_moved_picture_has_light(truth: np.ndarray, eight_bit: np.ndarray) -> None:
    """A pixel (x, y) of the truth is seen at MOVE (x, y, 1), inside the moved picture or not."""
    mask = align(eight_bit, truth).mask[..., 0]
    y, x = np.mgrid[:SIZE[1], :SIZE[0]].astype(np.float64)
    seen = MOVE @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    inside = ((seen[:2] / seen[2] > -0.5) & (seen[:2] / seen[2] < SIZE[0] - 0.5)).all(axis=0).reshape(mask.shape)
    assert set(np.unique(mask)) == {0, 1} and 0.95 < inside.mean() < 0.995
    assert (mask.astype(bool) != inside).mean() < 0.004


def test_gain_is_fitted_before_the_alignment(truth: np.ndarray, moved: np.ndarray, eight_bit: np.ndarray) -> None:
    """A darker picture scores as the bright one does. What is fitted to pictures that lie apart is below 1, and the aligned
    picture keeps that bias."""
    score = open_metric('psnr', 'realblur-aligned')
    assert score(DARKER * moved, truth) == pytest.approx(score(moved, truth), abs=0.1)
    pair = align(eight_bit, truth)
    gain = np.sum(truth * eight_bit, dtype=np.float64) / np.sum(eight_bit**2, dtype=np.float64)
    kept = (pair.restored * pair.sharp).sum() / np.square(pair.sharp).sum()
    assert gain < 0.99 and kept == pytest.approx(gain, abs=2e-3)
    without = pair._replace(restored=pair.restored / gain)
    assert masked_psnr(without._replace(restored=DARKER * without.restored)) < masked_psnr(without) - 3


def test_only_what_the_mask_shows_counts() -> None:
    """PSNR and SSIM of the same pictures do not depend on what was masked out, but for the windows at the rim."""
    rng = np.random.default_rng(1)
    truth, error = rng.random((40, 60, 3), np.float32), 0.1
    mask = np.zeros_like(truth)
    mask[:, :30] = 1
    pair = Aligned((truth + error) * mask, truth * mask, mask)
    assert masked_psnr(pair) == pytest.approx(20, abs=1e-3)
    whole = masked_ssim(Aligned(truth + np.float32(error), truth, np.ones_like(truth)))
    assert masked_ssim(pair) == pytest.approx(whole, abs=0.02)
    assert masked_ssim(Aligned(truth, truth, np.ones_like(truth))) == pytest.approx(1)


def test_rsblur_clips_what_gain_and_interpolation_leave(truth: np.ndarray) -> None:
    """Where the truth is white, a darkened restoration with bright specks is above white after the gain."""
    white = np.where(truth > 0.5, 1, truth).astype(np.float32)
    restored = np.where(white == 1, 0.8, 0.6 * white).astype(np.float32)
    pair = align(np.rint(restored * 255).astype(np.float32) / 255, white)
    assert pair.restored.max() > 1.02
    expected = masked_psnr(pair._replace(restored=pair.restored.clip(0, 1)))
    assert open_metric('psnr', 'rsblur')(restored, white) == pytest.approx(expected, abs=1e-6)
    assert open_metric('psnr', 'realblur-aligned')(restored, white) == pytest.approx(masked_psnr(pair), abs=1e-6) != expected


def test_a_picture_without_alignment_fails_once_for_all_metrics(truth: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(alignment, 'align', lambda *pictures: calls.append(1) or align(*pictures))
    flat = np.full_like(truth, 0.5)
    for name in ('psnr', 'ssim-2d'):
        for protocol in ('realblur-aligned', 'rsblur'):
            with pytest.raises(PictureFailed, match='alignment: ECC found no homography'):
                open_metric(name, protocol)(flat, truth)
    with pytest.raises(PictureFailed, match='the restored picture is black'):
        open_metric('psnr', 'rsblur')(np.zeros_like(truth), truth)
    assert len(calls) == 2
