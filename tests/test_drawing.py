"""Pictures for people say what they should."""

import numpy as np

from glowdeblur_plugin.drawing import BAR, GAP, labelled_strip, motion_arrows, motion_colours, motion_panel, motion_wheel


def test_strip_holds_each_picture_under_its_bar() -> None:
    first, second = np.full((10, 30, 3), 50, np.uint8), np.full((10, 20, 3), 200, np.uint8)
    strip = labelled_strip([('a', first), ('b', second)])
    assert strip.shape == (10 + BAR, 30 + GAP + 20, 3)
    assert (strip[BAR:, :30] == 50).all() and (strip[BAR:, 30 + GAP:] == 200).all()
    assert (strip[:BAR] < 100).any()


def test_opposite_directions_have_one_colour_and_perpendicular_ones_complementary_colours() -> None:
    angle = np.radians([20, 200, 110])
    motion = np.stack([5 * np.cos(2 * angle), 5 * np.sin(2 * angle), np.zeros(3)])[:, None]
    forth, back, across = motion_colours(motion, longest=5)[0].astype(int)
    assert np.abs(forth - back).max() <= 1
    assert np.abs(forth + across - 255).max() <= 6


def test_length_is_brightness_and_blur_without_direction_is_grey() -> None:
    motion = np.array([[2.0, 0.0], [0.0, 0.0], [0.0, 4.0]])[:, None]
    directed, round_blur = motion_colours(motion, longest=4)[0].astype(int)
    assert directed.max() == 128 and directed.min() == 0
    assert round_blur.max() == round_blur.min() == 255


def test_arrows_lie_along_the_blur() -> None:
    picture, horizontal = np.zeros((48, 48, 3), np.uint8), np.zeros((3, 1, 1))
    horizontal[0] = 12
    drawn = np.argwhere(motion_arrows(picture, horizontal, every=48)[..., 0] > 150)
    assert np.ptp(drawn[:, 1]) >= 11 and np.ptp(drawn[:, 0]) <= 2


def test_blur_without_direction_is_a_circle_as_wide_as_it() -> None:
    picture, round_blur = np.zeros((48, 48, 3), np.uint8), np.zeros((3, 1, 1))
    round_blur[2] = 20
    drawn = np.argwhere(motion_arrows(picture, round_blur, every=48)[..., 0] > 150) - 24
    assert np.abs(np.hypot(*drawn.T) - 10).max() < 1.5 and abs(np.ptp(drawn[:, 0]) - 20) <= 2


def test_panel_shows_the_truth_only_where_it_is_known() -> None:
    picture, motion = np.zeros((20, 30, 3), np.uint8), np.ones((3, 2, 3))
    assert motion_panel(picture, motion, None).shape[1] < motion_panel(picture, motion, motion).shape[1]


def test_wheel_shows_the_colours_of_lines_through_its_middle() -> None:
    """At the right end of the horizontal line, and at the lower end of the vertical one, as picture coordinates have it."""
    wheel = motion_wheel(61, 81).astype(int)
    for place, cosine in (((30, 30 + 38), 1.0), ((30 + 28, 40), -1.0)):
        line = np.array([cosine * 28, 0, 0]).reshape(3, 1, 1)
        assert np.abs(wheel[place] - motion_colours(line, 29.5)[0, 0]).max() <= 2
    assert np.abs(wheel[::-1, ::-1] - wheel).max() <= 1
    assert wheel[30, 40].max() == 0 and (wheel[0, 0] == 128).all() and (wheel[:, :10] == 128).all()
