"""Serves the platform's REST API, transcoded from the RPC table (``gateway.RestApi``)."""
