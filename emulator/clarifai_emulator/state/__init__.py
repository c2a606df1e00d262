"""Keeps state beyond the process: in a file on disk (``state_file``), and in one to carry away (``transfer``)."""
