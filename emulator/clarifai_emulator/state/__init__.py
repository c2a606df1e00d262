"""Keeps what outlives the process: a file on disk (``state_file``), and one to carry away (``transfer``)."""
