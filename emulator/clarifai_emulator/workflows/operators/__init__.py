"""Answers nodes whose model is an operator of the platform: functions of data, which need no deployment."""
