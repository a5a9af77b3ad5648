"""The Flywheel API as functions from a request to a reply, over the site's state; no I/O."""
