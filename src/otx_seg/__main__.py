"""`python -m otx_seg`: the same as the command `otx`."""

from otx_seg.cli.main import main

main()
