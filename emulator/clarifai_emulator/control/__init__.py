"""Controls an emulator: every verb once, from another thread or over the network, for all of it or one account."""
