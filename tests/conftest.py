"""Folders of data below the tests: what lies there is never collected."""

collect_ignore = ["submissions"]
