"""Says who calls, and what they may do: accounts, keys, scopes, admission of runners."""
