"""Looking for the shortest call that makes an app break the protocol, loop, be late or answer 5xx.

A state machine of Hypothesis plays a caller who does legal but odd things. `caller` does them on a
rig, `watch` sees what must not happen, `machine` is the state machine, `exploring` runs it and keeps
the shortest call of each kind, `scenario_text` writes such a call down, `report` prints.
"""
