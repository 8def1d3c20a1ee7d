"""What names of labels mean."""

import pytest

from otx_seg.labels import background_index, labels_called, means_background, means_ignored


@pytest.mark.parametrize(
    "name", ["background", "Background", "_background_", "__background__", "BG", "<bg>", "Back-ground"]
)
def test_names_of_the_background(name):
    assert means_background(name)
    assert background_index(("cat", name)) == 1
    assert labels_called(["cat", name]).background == 1
    assert labels_called(["cat", name]).names == ("cat", name)  # as the data set spells it


@pytest.mark.parametrize("name", ["backgrounds", "bgr", "grey background", "big", "void", ""])
def test_other_names_are_no_background(name):
    assert not means_background(name)
    assert background_index(("cat", name)) is None


def test_of_several_it_is_the_one_that_is_called_just_so():
    assert background_index(("_background_", "bg", "Background")) == 2
    assert background_index(("cat", "BG", "_background_")) == 1


@pytest.mark.parametrize(
    "name", ["void", "Void", "__ignore__", "ignored", "unlabeled", "Unlabelled", "no-data", "don't care"]
)
def test_names_of_no_label(name):
    assert means_ignored(name)


@pytest.mark.parametrize("name", ["background", "unknown", "other", "avoid", "voids", "void--sky", ""])
def test_other_names_are_labels(name):
    assert not means_ignored(name)
