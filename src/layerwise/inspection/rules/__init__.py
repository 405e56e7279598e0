"""The rules of the diagnosis, by what they judge. Each takes a `Case` and gives one verdict."""
