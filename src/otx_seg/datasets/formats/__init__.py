"""The formats of labelled data: each is a class in a module of this package, found by `otx_seg.catalogue`.

A module is called what ``--data-format`` calls its format. Its class is a `DataFormat`; its docstring shows the
layout. Nothing else is public in these modules, and there is no list to extend.
"""
