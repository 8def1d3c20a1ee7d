"""XML files that are damaged, or made to break their reader."""

import pytest

from otx_seg.annotations.plain_xml import read_xml
from otx_seg.errors import DataError

BOMB = (
    '<!DOCTYPE a [<!ENTITY e0 "ha">'
    + "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(20))
    + "]><a>&e20;</a>"
)


def test_elements_attributes_and_texts(tmp_path):
    path = tmp_path / "a.xml"
    for text in ('<?xml version="1.0"?><a><b c="ü">1 &amp; 2</b></a>', '\ufeff<a><b c="ü">1 &#38; 2</b></a>'):
        path.write_text(text, encoding="utf-8")
        (inner,) = read_xml(path, "a")
        assert (inner.tag, inner.attrib, inner.text) == ("b", {"c": "ü"}, "1 & 2")
    path.write_text('<?xml version="1.0" encoding="utf-16"?><a/>', encoding="utf-16")
    assert read_xml(path, "a").tag == "a"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "it defines entities"),
        ('<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/hostname">]><a>&e;</a>', "it defines entities"),
        ("<a>&e;</a>", "undefined entity"),
        ("<a>" * 101 + "</a>" * 101, "elements are nested more than 100 levels deep"),
        ("<a>" * 1_000_000, "elements are nested more than 100 levels deep"),
        ("<a><b></a>", "mismatched tag"),
        ("<a", "unclosed token"),
        ("no XML", "syntax error"),
        ('<?xml version="1.0" encoding="nothing"?><a/>', "unknown encoding"),
        ("<a>\0</a>", "not well-formed"),
    ],
)
def test_what_is_refused(tmp_path, text, told):
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"a\.xml: not valid XML \(.*{told}.*\); expected is <a>"):
        read_xml(path, "a")


def test_another_element(tmp_path):
    (tmp_path / "a.xml").write_text("<b/>")
    with pytest.raises(DataError, match=r"a\.xml: holds <b>; expected is <a>"):
        read_xml(tmp_path / "a.xml", "a")
