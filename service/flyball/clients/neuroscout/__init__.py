"""The Neuroscout client: `wire` makes requests and reads answers, `client` sends."""
