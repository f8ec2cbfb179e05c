"""The command line, installed as ``pointlabel.cli``. Only here is anything printed."""
