"""The contract-test kit: calls an RT app through the bridge and a simulated Plivo, and expects things."""
