"""`rt-bridge provision`: the Plivo side of every configured app, made, changed and put back."""
