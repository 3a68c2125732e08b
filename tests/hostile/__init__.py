"""Submissions that attack the grader, made in memory; `toy` is the small exercise that they pretend to answer."""
