"""Right programs of many shapes, each made wrong in many ways: what ``check`` says of them is counted.

sample_models.py ─► methods ─┐
holders.py  call_forms.py  ──┼─► shapes ─► right programs ─► mutants ─► check ─► tally.py ─► docs/contracts-calls.md
requests, notebooks, …     ──┘
"""
