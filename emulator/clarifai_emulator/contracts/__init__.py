"""Whether clients and models agree: signatures, calls, changes. What is found is a ``Finding`` of a ``Rule``."""
