"""Lessons and links: states of the page that somebody wrote down."""
