"""Typed Plivo verbs, their XML and the callbacks they cause."""
