"""The Studio: a page on localhost that plays with networks. The server computes every number, the browser draws."""
