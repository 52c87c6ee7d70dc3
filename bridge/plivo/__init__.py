"""The Plivo side of the shell: signatures, webhooks, REST and the response schema."""
