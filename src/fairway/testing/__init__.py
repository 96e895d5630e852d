"""Published for tests, ours and others': a cluster in a test, and the contract suites of the protocols."""
