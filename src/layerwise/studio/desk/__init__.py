"""The workspace and what lies in it: runs, uploads, jobs, models to ask."""
