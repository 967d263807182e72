"""The split of the sample photographs."""

import numpy as np

from glowdeblur_plugin.data import photographs

SCENES = {'motorcycle_left': 'motorcycle', 'motorcycle_right': 'motorcycle', 'cat': 'chelsea'}
GREY = {'camera', 'coins', 'brick', 'grass', 'gravel'}


def test_split_is_by_scene_and_leaves_out_the_blurred_one():
    train, validation = photographs.training_photographs(), photographs.validation_photographs()
    assert set(train) == GREY | {'astronaut', 'rocket', 'motorcycle_left', 'motorcycle_right'}
    assert set(validation) == {'coffee', 'chelsea'}
    scenes = [{SCENES.get(name, name) for name in part} for part in (train, validation)]
    assert not scenes[0] & scenes[1]
    assert 'clock_motion' not in {*train, *validation}


def test_no_picture_is_on_both_sides_under_another_name():
    train, validation = photographs.training_photographs(), photographs.validation_photographs()
    for picture in validation.values():
        assert not any(picture.shape == other.shape and np.array_equal(picture, other) for other in train.values())


def test_pictures_are_rgb_and_grey_ones_are_repeated():
    for name, picture in photographs.training_photographs().items():
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3
        same = np.array_equal(picture[..., 0], picture[..., 1]) and np.array_equal(picture[..., 1], picture[..., 2])
        assert same == (name in GREY)
    astronaut = photographs.training_photographs()['astronaut']
    assert astronaut[200:, :150, 0].mean() > astronaut[200:, :150, 2].mean(), 'her suit is orange: red before blue'
