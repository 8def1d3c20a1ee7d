"""The legend and the line of figures, by what is and is not in the picture."""

from __future__ import annotations

import numpy as np

from otx_seg.labels import Labels
from otx_seg.runtime.overlay import draw_legend, draw_note, draw_unknown

LABELS = Labels(("road", "background", "tree", "sky"), ((250, 0, 0), (9, 9, 9), (0, 250, 0), (0, 0, 250)), background=1)


def drawn(size: tuple[int, int], mask: np.ndarray, labels: Labels = LABELS) -> np.ndarray:
    picture = np.full((*size, 3), 100, np.uint8)
    draw_legend(picture, mask, labels)
    return picture


def colors(picture: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(map(int, color)) for color in np.unique(picture.reshape(-1, 3), axis=0)}


def test_labels_that_occur_are_listed() -> None:
    mask = np.full((200, 300), 1, np.uint8)
    mask[0, 0], mask[1:50], mask[60:70] = 0, 3, 255
    picture = drawn((200, 300), mask)
    assert {(250, 0, 0), (0, 0, 250)} <= colors(picture)
    assert (0, 250, 0) not in colors(picture)
    column = [tuple(map(int, color)) for color in picture[:, 8]]
    assert column.index((250, 0, 0)) < column.index((0, 0, 250))  # in the order of the labels, whatever their areas
    assert (picture[100:] == 100).all()
    assert (picture[:, 150:] == 100).all()


def test_background_and_ignored_pixels_have_no_legend() -> None:
    mask = np.full((200, 300), 1, np.uint8)
    mask[:50] = 255
    assert (drawn((200, 300), mask) == 100).all()


def test_the_largest_areas_go_first_where_room_is_short() -> None:
    mask = np.zeros((200, 300), np.uint8)
    mask[:20], mask[20:80] = 3, 2
    picture = drawn((60, 120), mask)  # five lines of twelve pixels, two of them for the legend
    assert {(250, 0, 0), (0, 250, 0)} <= colors(picture)
    assert (0, 0, 250) not in colors(picture)


def test_an_image_too_small_is_left_as_it_is() -> None:
    for size in ((20, 300), (200, 30), (1, 1)):
        assert (drawn(size, np.zeros((9, 9), np.uint8)) == 100).all()


def test_names_with_any_letters() -> None:
    labels = Labels(("Straße [1]", "道路"), ((1, 2, 3), (4, 5, 200)), background=None)
    assert {(1, 2, 3), (4, 5, 200)} <= colors(drawn((200, 300), np.tile(np.uint8([[0, 1]]), (9, 9)), labels))


def test_names_of_other_scripts_are_no_boxes() -> None:
    def legend(name: str) -> np.ndarray:
        labels = Labels((name, "other"), ((1, 2, 3), (4, 5, 6)), background=1)
        return drawn((200, 300), np.zeros((9, 9), np.uint8), labels)

    # Of as many letters, so that with a box for each of them they would look alike.
    assert (legend("дорога") != legend("Δρόμος")).any()
    assert (legend("Ж") != legend("Д")).any()
    # Ancient signs that hardly any system has: the number of the label stands for them.
    assert (legend("\U00013000\U00013001") != legend("\U00013001\U00013000")).any() or (
        legend("\U00013000\U00013001") == legend("label 0")
    ).all()


def test_a_note() -> None:
    picture = np.full((200, 300, 3), 100, np.uint8)
    draw_note(picture, "12.5 frames/s")
    assert (picture[:150] == 100).all()
    assert (picture[-1, 0] != 100).all()
    assert (picture[-10:, :100] > 200).any()
    tiny = np.full((5, 7, 3), 100, np.uint8)
    draw_note(tiny, "12.5 frames/s")
    assert tiny.shape == (5, 7, 3)


def test_a_note_with_a_square_and_a_bar() -> None:
    picture = np.full((240, 300, 3), 100, np.uint8)
    draw_note(picture, "tree", (0, 250, 0), np.uint8([[0, 0, 250], [250, 0, 0]]))
    row = [tuple(map(int, color)) for color in picture[-6]]
    assert row.index((0, 250, 0)) < row.index((0, 0, 250)) < row.index((250, 0, 0))
    assert row.index((0, 0, 250)) > 20 > row.index((0, 250, 0))
    assert (250, 0, 0) not in row[100:]
    assert (picture[:220] == 100).all()
    more = np.full((240, 300, 3), 100, np.uint8)
    draw_note(more, "tree", (0, 250, 0), np.uint8([[0, 0, 250], [250, 0, 0]]), "0.5")
    end = int((picture[-6] != 100).any(axis=1).nonzero()[0][-1]) + 1
    assert (more[:, :end] == picture[:, :end]).all(), "the text stands behind the bar"
    assert (more[-20:, end:] > 200).any()
    tiny = np.full((5, 7, 3), 100, np.uint8)
    draw_note(tiny, "tree", (0, 250, 0), np.uint8([[0, 0, 250], [250, 0, 0]]))
    assert tiny.shape == (5, 7, 3)


def test_unsure_pixels_are_grey_with_stripes_and_listed_last() -> None:
    mask = np.full((200, 300), 3, np.uint8)
    mask[100:] = 255
    picture = np.full((200, 300, 3), (200, 40, 40), np.uint8)
    draw_unknown(picture, mask)
    assert colors(picture[:100]) == {(200, 40, 40)}
    drawn_below = colors(picture[100:])
    assert len(drawn_below) == 2
    assert all(red == green == blue for red, green, blue in drawn_below)
    with_legend, without = picture.copy(), picture.copy()
    draw_legend(with_legend, mask, LABELS, with_unknown=True)
    draw_legend(without, mask, LABELS)
    column = [tuple(map(int, color)) for color in with_legend[:60, 8]]
    assert column.index((0, 0, 250)) < column.index((176, 176, 176))
    assert (176, 176, 176) not in colors(without[:60])


def test_where_all_is_sure_nothing_is_drawn() -> None:
    picture = np.full((20, 30, 3), (200, 40, 40), np.uint8)
    draw_unknown(picture, np.zeros((20, 30), np.uint8))
    assert colors(picture) == {(200, 40, 40)}
