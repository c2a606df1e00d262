"""Runs the checker over public model directories and client files that nobody here wrote.

    ground.yaml ─► fetch (checkouts) ─► models: contract show, --static │ the SDK's own reading ─┐
                                     └► clients: counted by their trees │ check, judgements      ├─► OUT.json, table
                                                  └► mutants of calls that check calls right ────┘

The files themselves stay out of this repository; ``python -m ground fetch`` fills a folder with them.
"""
