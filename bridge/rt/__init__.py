"""The ways to the legacy apps: a lean one for plain HTTP, and aiohttp for everything."""
