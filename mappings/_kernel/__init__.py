"""Actions, events, facts and the engine that replays mappings; knows no RT command."""
