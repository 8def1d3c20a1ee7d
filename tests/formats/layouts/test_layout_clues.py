"""Names in folders, looked up once where many ask for them."""

from otx_seg.formats.layouts.layout_clues import each_folder_once, entries_not_hidden


def test_names_are_looked_up_once_only_while_formats_are_told_apart(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / ".hidden").touch()
    with each_folder_once():
        assert entries_not_hidden(tmp_path) == (("a", True),)
        (tmp_path / "b").touch()
        assert entries_not_hidden(tmp_path) == (("a", True),)
    assert sorted(entries_not_hidden(tmp_path)) == [("a", True), ("b", False)]
