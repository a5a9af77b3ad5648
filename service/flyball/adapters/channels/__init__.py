"""Message channels: log, signed webhook, Slack, Teams, e-mail. Texts are made by pure functions, a file a kind."""
