"""For those who add to bisparse: suites of tests that what they add must pass. Needs a test runner such as pytest."""
