"""What only developers and auditors run; never packed in the wheel."""
