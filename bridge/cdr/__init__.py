"""Call records: what became of every leg of every call, for billing, support and reports."""
