"""Lists of labels as tools write them."""

import pytest

from otx_seg.annotations.label_table import ListedLabel, labels_in_text

ROAD, SKY = (128, 64, 128), (70, 130, 180)
PLAIN = [ListedLabel("road"), ListedLabel("blue sky")]
COLORED = [ListedLabel("road", ROAD), ListedLabel("blue sky", SKY)]
VALUED = [ListedLabel("road", None, 0), ListedLabel("blue sky", None, 3)]
BOTH = [ListedLabel("road", ROAD, 0), ListedLabel("blue sky", SKY, 3)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("road\nblue sky\n", PLAIN),
        ("# mine\n\n road \r\nblue sky", PLAIN),
        ("road 128 64 128\nblue sky 70 130 180", COLORED),
        ("128 64 128 road\n70 130 180 blue sky", COLORED),
        ("128 64 128\t\troad\n70 130 180\tblue sky", COLORED),
        ("road,128,64,128\nblue sky,70,130,180", COLORED),
        ("name,r,g,b\nroad,128,64,128\nblue sky,70,130,180", COLORED),
        ("name, r, g, b\nroad, 128, 64, 128\nblue sky, 70, 130, 180", COLORED),
        ("r;g;b;class\n128;64;128;road\n70;130;180;blue sky", COLORED),
        ("r g b name\n128 64 128 road\n70 130 180 blue sky", COLORED),
        ("class_name,class_color\nroad,128 64 128\nblue sky,70 130 180", COLORED),
        ('name,color\nroad,"(128, 64, 128)"\nblue sky,"[70, 130, 180]"', COLORED),
        ("road: (128, 64, 128)\nblue sky: (70, 130, 180)", COLORED),
        ("road #804080\nblue sky #4682B4", COLORED),
        ("#804080 road\n#4682b4 blue sky", COLORED),
        ("label,hex\nroad,#804080\nblue sky,4682b4", COLORED),
        ("# label:color_rgb:parts:actions\nroad:128,64,128::\nblue sky:70,130,180:a,b:c", COLORED),
        ("road:::\nblue sky:::", PLAIN),
        ("Pixel Value, Class\n0, road\n3, blue sky", VALUED),
        ("Class\tID\nroad\t0\nblue sky\t3", VALUED),
        ("class_name,class_color\nroad,0\nblue sky,3", VALUED),
        ("Idx,Ratio,Train,Name\n0,0.5,7,road\n3,0.1,8,blue sky", VALUED),
        ("0 road\n3 blue sky", VALUED),
        ("0: road\n3: blue sky", VALUED),
        ("0,road\n3,blue sky", VALUED),
        ("road,0\nblue sky,3", VALUED),
        ("road=0\nblue sky=3", VALUED),
        ("0,road,128,64,128\n3,blue sky,70,130,180", BOTH),
        ("0 road 128 64 128\n3 blue sky 70 130 180", BOTH),
        ("0 128 64 128 road\n3 70 130 180 blue sky", BOTH),
        ("id,name,red,green,blue\n0,road,128,64,128\n3,blue sky,70,130,180", BOTH),
        ("", []),
        # names that have numbers of their own
        ("dog 2 0 128 0\ncat 0 1 2", [ListedLabel("dog 2", (0, 128, 0)), ListedLabel("cat", (0, 1, 2))]),
        ("level 2\nhouse 7", [ListedLabel("level 2"), ListedLabel("house 7")]),
        ("class 1\nclass 2", [ListedLabel("class 1"), ListedLabel("class 2")]),
        ("1 euro\n2 euro", [ListedLabel("1 euro"), ListedLabel("2 euro")]),
        ("0\n1", [ListedLabel("0"), ListedLabel("1")]),
        ("0.5 mm\n1.0 mm", [ListedLabel("0.5 mm"), ListedLabel("1.0 mm")]),
        ("bed, sofa\nwall, brick", [ListedLabel("bed, sofa"), ListedLabel("wall, brick")]),
        ("road 0\nsky 1", [ListedLabel("road", None, 0), ListedLabel("sky", None, 1)]),
    ],
)
def test_lists_of_tools(text, expected):
    assert labels_in_text(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 300 0 0\nb 0 0 0", "the colour of 'a' is '300'; it should be from 0 to 255"),
        ("name,r,g,b\na,1,2,x", "the colour of 'a' is 'x', not a number"),
        ("name,r,g,b\na,1,2", "has 3 columns, not 4"),
        ("name,color\na,1 2", "is '1 2', not red, green and blue"),
        ("a:²,0,0::", "'a:²,0,0::' is no label; expected is name:red,green,blue::"),
        ("Name;Wert\nroad;0\nsky;1", "cannot be told from 'Name;Wert'; call them name and value"),
        ("Name,Rot,Gr,Bl\na,1,2,3", "cannot be told from 'Name,Rot,Gr,Bl'; call them name and value"),
        ("image,label\n1.jpg,road\n2.jpg,sky", "cannot be told from 'image,label'"),
        ("id,name\n99999,a", "the mask value of 'a' is '99999'; it should be from 0 to 65,535"),
    ],
)
def test_numbers_that_are_none(text, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        labels_in_text(text)
