"""Whether clients and models agree: signatures, calls, changes. Everything found is a ``Finding`` of a ``Rule``."""
